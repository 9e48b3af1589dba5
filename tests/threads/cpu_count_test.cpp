#include <cstdlib>
#include <map>
#include <sstream>
#include <string>

#include <doctest/doctest.h>
#include <sched.h>

#include <distilbert/threads/cpu_count.hpp>

using namespace distilbert;

TEST_CASE("quotas round up; no limit and nonsense are no limit") {
  CHECK(detail::cpus_of_quota("200000 100000") == 2);
  CHECK(detail::cpus_of_quota("150000 100000") == 2);
  CHECK(detail::cpus_of_quota("100000 100000") == 1);
  CHECK(detail::cpus_of_quota("1000 100000") == 1);
  for (const char* none : {"max 100000", "-1 100000", "", "0 100000", "5 0", "x y", "100000"})
    CHECK(detail::cpus_of_quota(none) == 0);
}

TEST_CASE("the group of this process, v1 and v2") {
  const std::string self = "12:cpuset:/a\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n0::/kubepods/pod:1/c\n";
  std::istringstream v2(self), v1(self), none("7:memory:/m\n");
  CHECK(detail::cgroup_path(v2, "") == "/kubepods/pod:1/c");
  CHECK(detail::cgroup_path(v1, "cpu") == "/docker/abc");
  CHECK(detail::cgroup_path(none, "cpu") == "/");
}

TEST_CASE("the tightest quota on the way up to the root counts") {
  std::map<std::string, std::string> files = {{"", "800000 100000"}, {"/a", "300000 100000"}, {"/a/b", "max 100000"}};
  const auto read = [&](const std::string& path) { return files[path]; };
  CHECK(detail::cpus_of_cgroup("/a/b", read) == 3);
  CHECK(detail::cpus_of_cgroup("/a", read) == 3);
  CHECK(detail::cpus_of_cgroup("/", read) == 8);
  CHECK(detail::cpus_of_cgroup("", read) == 8);
  CHECK(detail::cpus_of_cgroup("/c/d", read) == 8);
  files[""] = "max 100000";
  CHECK(detail::cpus_of_cgroup("/c/d", read) == 0);
}

TEST_CASE("the affinity mask bounds the count") {
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  const std::size_t all = usable_cpus();
  CHECK(all >= 1);
  CHECK(all <= static_cast<std::size_t>(CPU_COUNT(&before)));
  CPU_ZERO(&one);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(usable_cpus() == 1);
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
}

TEST_CASE("what is asked for wins over the environment, and that over the machine") {
  setenv("DISTILBERT_THREADS", "3", 1);
  CHECK(thread_count(5) == 5);
  CHECK(thread_count(0) == 3);
  setenv("DISTILBERT_THREADS", "", 1);
  CHECK(thread_count(0) == usable_cpus());
  for (const char* bad : {"nonsense", "-1", "4x", " 4", "1025", "99999999999999999999999"}) {
    setenv("DISTILBERT_THREADS", bad, 1);
    CHECK_THROWS_AS(thread_count(0), Error);
    CHECK(thread_count(2) == 2);
  }
  CHECK_THROWS_AS(thread_count(1025), Error);
  unsetenv("DISTILBERT_THREADS");
  CHECK(thread_count(0) == usable_cpus());
}
