-- wrk -s load.lua URL [-- BODIES HOT SHARE]
-- Gets URL; or posts the lines of the file BODIES. The first HOT lines make up SHARE of all requests (0 to 1), drawn at random; the
-- others come once each, in order, each thread having its own, and begin anew at the end of the file.
-- Afterwards a line of JSON goes to standard error; times_us: pairs of a time and how many requests took it.

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(arguments)
  if #arguments == 0 then
    plain = wrk.format()
    return
  end
  requests, hot, share = {}, tonumber(arguments[2]), tonumber(arguments[3])
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format(nil, nil, nil, line)
  end
  fresh = number * 7919
  math.randomseed(number + 1)
end

function request()
  if plain then
    return plain
  end
  if math.random() < share then
    return requests[math.random(hot)]
  end
  fresh = fresh + 1
  return requests[hot + 1 + fresh % (#requests - hot)]
end

function done(summary, latency)
  local times = {}
  for i = 1, #latency do
    times[i] = string.format("[%d,%d]", latency(i))
  end
  local failed = summary.errors
  io.stderr:write(string.format('{"requests":%d,"duration_us":%d,"failed":%d,"times_us":[%s]}\n', summary.requests,
    summary.duration, failed.connect + failed.read + failed.write + failed.status + failed.timeout,
    table.concat(times, ",")))
end
