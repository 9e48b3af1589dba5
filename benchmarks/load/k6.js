// The load test of the classroom service: ten users, of whose requests 95 in 100 repeat one of a few payloads.
//   k6 run -e URL=http://127.0.0.1:8000 -e BODIES=bodies.jsonl -e SECONDS=30 k6.js

import http from "k6/http";
import { check } from "k6";
import { SharedArray } from "k6/data";

const bodies = new SharedArray("bodies", () => open(__ENV.BODIES).trim().split("\n"));
const hot = 100;

export const options = {
  scenarios: { users: { executor: "constant-vus", vus: 10, duration: `${__ENV.SECONDS || 30}s` } },
  thresholds: { http_req_failed: ["rate==0"], checks: ["rate==1"], http_req_duration: ["p(99)<2000"] },
  summaryTrendStats: ["med", "p(99)", "max"],
};

export default function () {
  const cold = hot + Math.floor(Math.random() * (bodies.length - hot));
  const body = bodies[Math.random() < 0.95 ? Math.floor(Math.random() * hot) : cold];
  // No content type, as that script sends none.
  const reply = http.post(`${__ENV.URL}/bulk-predict`, body);
  check(reply, { "a prediction": (r) => r.status === 200 && r.json("predictions").length === 1 });
}
