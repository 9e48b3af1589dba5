#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <distilbert/tasks/text_classifier.hpp>
#include <doctest/doctest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../nn/random_model.hpp"

using namespace distilbert;
using namespace distilbert::test;

namespace {

/// One thread at a time. ThreadSanitizer's malloc (g++ 12) may hang in a child if another thread was in it at the fork,
/// which the C library's own does not. A lock that ThreadSanitizer does not see hides no race from it.
class MallocLock {
public:
  MallocLock() { lock(); }
  MallocLock(const MallocLock&) = delete;
  MallocLock& operator=(const MallocLock&) = delete;
  ~MallocLock() { unlock(); }

private:
#if defined(__SANITIZE_THREAD__)
#define DISTILBERT_TEST_LOCKS_MALLOC
  [[gnu::no_sanitize_thread]] static void lock() {
    while (__atomic_exchange_n(&locked, true, __ATOMIC_ACQUIRE))
      sched_yield();
  }
  [[gnu::no_sanitize_thread]] static void unlock() { __atomic_store_n(&locked, false, __ATOMIC_RELEASE); }
  static inline bool locked = false;
#else
  static void lock() {}
  static void unlock() {}
#endif
};

pid_t fork_outside_malloc() {
  const MallocLock lock;
  return fork();
}

/// ThreadSanitizer of g++ 12 knows threads by their stacks, and in a child it dies of a new thread on a stack that one
/// of the parent's had. A larger stack is none of those.
void take_new_stacks() {
#ifdef __SANITIZE_THREAD__
  pthread_attr_t attributes;
  std::size_t size = 0;
  pthread_getattr_default_np(&attributes);
  pthread_attr_getstacksize(&attributes, &size);
  pthread_attr_setstacksize(&attributes, 2 * size);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
#endif
}

/// A child that ends with 0 if `body` says true, and by SIGALRM if it hangs.
template <class Body> pid_t start_child(const Body& body) {
  const pid_t child = fork_outside_malloc();
  if (child != 0)
    return child;
  alarm(120);
  take_new_stacks();
  _exit(body() ? 0 : 1);
}

/// How it ended: its exit status, or minus the signal that killed it.
int status_of(pid_t child) {
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child)
    return -1000;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

template <class Body> int in_child(const Body& body) { return status_of(start_child(body)); }

/// Whether `body` says true on each of that many threads.
template <class Body> bool on_threads(int count, const Body& body) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&] { right += body() ? 1 : 0; });
  for (std::thread& thread : threads)
    thread.join();
  return right == count;
}

/// A loop whose two bodies wait for each other: one thread alone never ends it.
void run_on_two_threads(ThreadPool& pool) {
  std::atomic<int> met{0};
  pool.parallel_for(2, [&](std::size_t) {
    ++met;
    while (met < 2)
      std::this_thread::yield();
  });
}

/// Threads that repeat `body` until the object ends.
class Background {
public:
  template <class Body> Background(int count, const Body& body) {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([this, body] {
        while (!stop_)
          body();
      });
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() {
    stop_ = true;
    for (std::thread& thread : threads_)
      thread.join();
  }

private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

/// A classifier whose pool has three threads, and what it says of one text, whose loops the threads share, and of many,
/// of which each thread takes some.
struct Setup {
  Setup() {
    LoadOptions options;
    options.threads = 3;
    classifier = std::make_unique<TextClassifier>(TextClassifier::from_pretrained(model.path(), options));
    for (std::size_t i = 0; i < many.size(); ++i)
      many[i] = random_ids(shape, i, 40);
    one = {many.front()};
    logits_of_one = TextClassifier::from_pretrained(model.path()).logits(one);
    logits_of_many = TextClassifier::from_pretrained(model.path()).logits(many);
  }

  bool right() const { return classifier->logits(one) == logits_of_one && classifier->logits(many) == logits_of_many; }

  Shape shape{.vocab = 60, .positions = 64, .dim = 32, .hidden_dim = 64, .n_layers = 2, .n_heads = 4};
  RandomModel model{shape};
  std::unique_ptr<TextClassifier> classifier;
  std::vector<std::vector<std::int32_t>> one, many = std::vector<std::vector<std::int32_t>>(30);
  std::vector<float> logits_of_one, logits_of_many;
};

} // namespace

#ifdef DISTILBERT_TEST_LOCKS_MALLOC
void* operator new(std::size_t size) {
  const MallocLock lock;
  void* memory = std::malloc(size);
  if (memory == nullptr)
    throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  const MallocLock lock;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept {
  const MallocLock lock;
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
#endif

TEST_CASE("a child has state of its own, and the parent's is neither used nor destroyed there") {
  struct State {
    ~State() {
      if (destroyed)
        *destroyed = true;
    }
    int value = 0;
    bool* destroyed = nullptr;
  };
  bool destroyed = false;
  auto state = std::make_unique<PerProcess<State>>();
  state->get() = {1, &destroyed};
  destroyed = false;   // by the temporary
  CHECK(in_child([&] { // used there
          const bool fresh = state->get().value == 0;
          state->get().value = 2;
          const bool kept = state->get().value == 2;
          state.reset();
          return fresh && kept && !destroyed;
        }) == 0);
  CHECK(in_child([&] { // not used there
          state.reset();
          return !destroyed;
        }) == 0);
  CHECK(state->get().value == 1);
  state.reset();
  CHECK(destroyed);
}

TEST_CASE("the threads of a child find one and the same state") {
  PerProcess<int> state;
  for (int round = 0; round < 20; ++round)
    REQUIRE(in_child([&] {
              std::atomic<int*> found{nullptr};
              return on_threads(4, [&] {
                int* nobodys = nullptr;
                int* mine = &state.get();
                return found.compare_exchange_strong(nobodys, mine) || nobodys == mine;
              });
            }) == 0);
}

TEST_CASE("a pool has threads of its own in a child, its child and its parent") {
  for (const bool used : {false, true}) {
    CAPTURE(used);
    auto pool = std::make_unique<ThreadPool>(2);
    if (used)
      run_on_two_threads(*pool);
    CHECK(in_child([&] {
            if (used)
              run_on_two_threads(*pool);
            const int of_grandchild = in_child([&] {
              run_on_two_threads(*pool);
              pool.reset();
              return true;
            });
            run_on_two_threads(*pool);
            pool.reset();
            return of_grandchild == 0;
          }) == 0);
    run_on_two_threads(*pool);
  }
}

TEST_CASE("a pool whose loop another thread runs, and whose other threads sleep or spin, is free in a child") {
  auto pool = std::make_unique<ThreadPool>(4);
  std::atomic<bool> go_on{false};
  std::atomic<int> inside{0}, calls{0};
  std::thread caller([&] {
    pool->parallel_for(2, [&](std::size_t) {
      ++inside;
      while (!go_on)
        std::this_thread::yield();
      ++calls;
    });
  });
  while (inside < 2)
    std::this_thread::yield();
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i)
    children.push_back(start_child([&] {
      run_on_two_threads(*pool);
      pool.reset();
      return calls == 0;
    }));
  for (const pid_t child : children)
    CHECK(status_of(child) == 0);
  go_on = true;
  caller.join();
  CHECK(calls == 2);
}

TEST_CASE("locks that other threads hold in the moment of a fork do not block the child") {
  const Shape shape;
  const RandomModel model(shape);
  const auto config = DistilBertConfig::from_pretrained(model.path());
  WorkspacePool workspaces(config);
  {
    const Background borrowers(4, [&] { const auto borrowed = workspaces.borrow(); });
    for (int round = 0; round < 60; ++round)
      REQUIRE(in_child([&] {
                const auto first = workspaces.borrow();
                return on_threads(3, [&] { return &*workspaces.borrow() != &*first; });
              }) == 0);
  }
  const auto first = workspaces.borrow(), second = workspaces.borrow();
  CHECK(&*first != &*second);
}

TEST_CASE("children use the model that eight threads are using: the same bits, and an end") {
  Setup setup;
  std::atomic<int> calls{0}, wrong{0};
  {
    const Background callers(8, [&] {
      wrong += setup.right() ? 0 : 1;
      ++calls;
    });
    while (calls < 50) // until the workspaces, which operator new does not make, have grown
      std::this_thread::yield();
    for (int round = 0; round < 30; ++round) {
      std::array<pid_t, 4> children{};
      for (pid_t& child : children)
        child = start_child([&] {
          const bool right = on_threads(3, [&] { return setup.right(); });
          setup.classifier.reset();
          return right;
        });
      for (const pid_t child : children)
        REQUIRE(status_of(child) == 0);
    }
  }
  CHECK(wrong == 0);
  CHECK(setup.right());
}

TEST_CASE("a model that was never called, or only in the parent: children, their children, and the parent") {
  for (const bool used : {false, true}) {
    CAPTURE(used);
    const Setup setup;
    if (used)
      REQUIRE(setup.right());
    CHECK(in_child([&] {
            const int before = in_child([&] { return on_threads(2, [&] { return setup.right(); }); });
            const bool right = on_threads(2, [&] { return setup.right(); });
            const int after = in_child([&] { return on_threads(2, [&] { return setup.right(); }); });
            return before == 0 && right && after == 0;
          }) == 0);
    CHECK(setup.right());
  }
}

TEST_CASE("the memory that a child counts is its own") {
  const Setup setup;
  REQUIRE(setup.right());
  const std::size_t idle = setup.classifier->idle_memory(), bound = setup.classifier->memory_bound();
  CHECK(idle > 0);
  CHECK(in_child([&] {
          const bool none = setup.classifier->idle_memory() == 0;
          const bool right = setup.right();
          const std::size_t now = setup.classifier->idle_memory();
          return none && right && now > 0 && now <= bound && setup.classifier->memory_bound() == bound;
        }) == 0);
  CHECK(setup.classifier->idle_memory() == idle);
}
