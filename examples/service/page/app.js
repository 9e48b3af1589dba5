// The page: asks the server that it came from, by the routes of Text Embeddings Inference, and shows the answer.

import {TASKS, complaint} from "./answers.js";
import {addLatency, milliseconds} from "./chart.js";

const $ = (id) => document.getElementById(id);
const base = new URL("..", import.meta.url); // works behind any prefix
const REPEATS = 20;
let task = null;

function element(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

class Fault extends Error {}

/** Sends JSON; returns the parsed reply, its headers, and the milliseconds there and back. Throws Fault. */
async function ask(path, body) {
  const headers = body ? {"Content-Type": "application/json"} : {};
  if ($("key").value) headers.Authorization = "Bearer " + $("key").value;
  const start = performance.now();
  let reply, text;
  try {
    reply = await fetch(new URL(path, base), {method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body)});
    text = await reply.text();
  } catch {
    throw new Fault("The server cannot be reached. Is it running?");
  }
  const took = performance.now() - start;
  let json = null;
  try {
    json = JSON.parse(text);
  } catch {
    if (reply.ok) throw new Fault("The server's answer is not what this page expects.");
  }
  if (reply.status === 401 || reply.status === 403) $("key").hidden = $("key-label").hidden = false;
  if (!reply.ok) throw new Fault(complaint(reply.status, json, reply.headers.get("Retry-After")));
  return {json, headers: reply.headers, took};
}

function showBars({title, detail, bars}) {
  $("label").replaceChildren(title + " ", element("small", "", detail));
  const long = bars.some(({name}) => name.length > 24);
  $("label").className = long ? "label long" : "label";
  $("bars").replaceChildren(...bars.map(({name, share, value}) => {
    const fill = element("div", "fill");
    fill.style.width = (100 * Math.min(1, share)).toFixed(2) + "%";
    const track = element("div", "track", fill);
    track.setAttribute("aria-hidden", "true");
    const bar = element("div", long ? "bar long" : "bar", element("span", "name", name), track, element("span", "value", value));
    bar.setAttribute("role", "listitem");
    return bar;
  }));
}

function showTokens(tokens) {
  $("tokens").replaceChildren(...tokens.map(({id, text, special, start}, i) => {
    const joined = !special && i > 0 && tokens[i - 1].stop === start;
    const token = element("span", "token" + (special ? " special" : "") + (joined ? " joined" : ""), text, element("small", "", id));
    token.setAttribute("role", "listitem");
    return token;
  }));
  $("token-count").textContent = tokens.length;
}

function showTimes(headers, took) {
  const times = [["There and back", took]];
  for (const [name, title] of [["total", "In the server"], ["tokenization", "Tokens"], ["queue", "Queue"], ["inference", "Model"]]) {
    const value = headers.get(`x-${name}-time`);
    if (value !== null) times.push([title, Number(value)]);
  }
  // Whole milliseconds come as such: a 0 is a time below one.
  $("timings").replaceChildren(...times.map(([title, value]) =>
    element("div", "", element("dt", "", title), element("dd", "", value === 0 ? "< 1 ms" : milliseconds(value)))));
  addLatency(took, $("chart"), $("chart-text"));
  $("times").hidden = false;
}

function fail(error) {
  if (!(error instanceof Fault)) throw error;
  $("error").textContent = error.message;
  $("error").hidden = false;
  $("status").textContent = "";
}

/** Asks `times` times, one after the other, and shows the last answer. */
async function run(times) {
  if (task === null || $("form").getAttribute("aria-busy") === "true") return;
  const [text, others] = [$("text").value, $("texts").value];
  if (text.trim() === "" || (task.others && others.trim() === "")) {
    fail(new Fault(task.others ? "Both fields want some text." : "Please write a text first."));
    (text.trim() === "" ? $("text") : $("texts")).focus();
    return;
  }
  busy(true);
  try {
    for (let i = 0; i < times; i++) {
      const {json, headers, took} = await ask(task.path, task.body(text, others));
      showTimes(headers, took);
      if (i === 0) {
        const answer = task.read(json, others);
        const [tokens] = (await ask("tokenize", {inputs: text})).json;
        showBars(answer);
        showTokens(tokens);
        $("answer").hidden = false;
        $("error").hidden = true;
        $("status").textContent = `${answer.title}, ${answer.detail}`;
      }
    }
  } catch (error) {
    fail(error);
  } finally {
    busy(false);
  }
}

function busy(now) {
  $("form").setAttribute("aria-busy", now);
  $("ask").disabled = $("repeat").disabled = now;
}

function offer(info) {
  task = Object.entries(TASKS).find(([name]) => name in info.model_type)?.[1] ?? null;
  if (task === null) throw new Fault("This page does not know what to ask a model of this kind.");
  const name = info.served_model_name ?? info.model_id;
  $("model").textContent = `${name} ${task.title} \u00b7 ${info.model_dtype} \u00b7 up to ${info.max_input_length} tokens`;
  document.title = `${name} \u2013 distilbert.cpp`;
  $("text-label").textContent = task.label;
  $("text").placeholder = task.placeholder ?? "";
  if (task.others) {
    $("others").hidden = false;
    $("texts-label").textContent = task.others;
    $("text").rows = 1;
  }
  $("examples").replaceChildren(...task.examples.map(([text, others]) => {
    const chip = element("button", "", text);
    chip.type = "button";
    chip.addEventListener("click", () => {
      $("text").value = text;
      $("texts").value = others ?? "";
      run(1);
    });
    return chip;
  }));
  busy(false);
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (task === null) start();
  else run(1);
});
$("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
});
$("repeat").addEventListener("click", () => run(REPEATS));

/** Learns what the model is for; if that fails, the button tries again. */
async function start() {
  try {
    offer((await ask("info")).json);
    $("error").hidden = true;
    $("ask").textContent = "Ask the model";
  } catch (error) {
    $("model").textContent = "";
    $("ask").textContent = "Try again";
    $("ask").disabled = false;
    fail(error);
  }
}

start();
