// When Redis is left alone.

#include <doctest/doctest.h>

#include "service/inference/redis_breaker.hpp"

using namespace service;
using namespace std::chrono_literals;

TEST_CASE("it opens after so many failures in a row, not after as many in all") {
  RedisBreaker breaker(3, 1s);
  const RedisBreaker::TimePoint now{};
  breaker.failed(now);
  breaker.failed(now);
  breaker.succeeded();
  breaker.failed(now);
  breaker.failed(now);
  CHECK_FALSE(breaker.open());
  breaker.failed(now);
  CHECK(breaker.open());
}

TEST_CASE("an attempt a pause; one that passes is on trial until it has done its work") {
  RedisBreaker breaker(3, 1s);
  const RedisBreaker::TimePoint now{};
  for (int i = 0; i < 3; ++i)
    breaker.failed(now);
  CHECK(breaker.next_attempt() == now + 1s);
  breaker.failed(now + 1s);
  CHECK(breaker.next_attempt() == now + 2s);

  breaker.close();
  CHECK_FALSE(breaker.open());
  breaker.failed(now + 3s);
  CHECK(breaker.open());

  breaker.close();
  breaker.succeeded();
  breaker.failed(now + 4s);
  CHECK_FALSE(breaker.open());
}
