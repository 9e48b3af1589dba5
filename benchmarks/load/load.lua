-- wrk -s load.lua URL [-- BODIES HOT SHARE]
-- Gets URL; or posts the lines of the file BODIES. The first HOT lines make up SHARE of all requests (0 to 1), drawn at random; the
-- others come once each, in order, each thread having its own, and begin anew at the end of the file.
-- Afterwards a line of JSON goes to standard error.

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
  bodies, hot, share = {}, tonumber(arguments[2]), tonumber(arguments[3])
  for line in io.lines(arguments[1]) do
    bodies[#bodies + 1] = line
  end
  next_body = hot + 1 + number * 7919
  math.randomseed(number + 1)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  if plain then
    return plain
  end
  if math.random() < share then
    return wrk.format(nil, nil, nil, bodies[math.random(hot)])
  end
  local body = bodies[hot + 1 + (next_body - hot - 1) % (#bodies - hot)]
  next_body = next_body + 1
  return wrk.format(nil, nil, nil, body)
end

function done(summary, latency)
  local failed = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f,"most_ms":%.3f,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
