// What is asked of a model of each task, and how its answer is read. Bars: {name, share of the whole bar, value as shown}.

const percent = (x) => (100 * x).toFixed(x > 0.0005 && x < 0.9995 ? 1 : 0) + " %";

const lines = (text) => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");

const sentences = {
  label: "Sentence",
  others: "Compared with, one a line",
  examples: [
    ["How do I get my money back?", "Refunds are paid within a week.\nThe film starts at eight.\nReturn the parcel and we pay you back."],
    ["A cat sleeps in the sun.", "A kitten is having a nap outside.\nThe parliament met on Tuesday.\nDogs chase the postman."],
  ],
};

export const TASKS = {
  classifier: {
    title: "tells the label of a text",
    label: "Text",
    placeholder: "Write something, and see what the model makes of it.",
    examples: [
      ["A joy from first to last."],
      ["Two hours I will not get back."],
      ["Not half as bad as they say."],
      ["The plot is thin, but the music!"],
      ["It rains in Seattle."],
    ],
    path: "predict",
    body: (text) => ({inputs: text}),
    read(answer) {
      const bars = answer.map(({label, score}) => ({name: label, share: score, value: percent(score)}));
      return {title: bars[0].name, detail: bars[0].value, bars};
    },
  },
  embedding: {
    ...sentences,
    title: "tells how near texts are in meaning",
    path: "similarity",
    body: (text, others) => ({inputs: {source_sentence: text, sentences: lines(others)}}),
    read(answer, others) {
      const names = lines(others);
      const bars = answer
        .map((score, i) => ({name: names[i], share: Math.max(0, score), value: score.toFixed(3)}))
        .sort((a, b) => b.share - a.share);
      return {title: bars[0].name, detail: `similarity ${bars[0].value}`, bars};
    },
  },
  reranker: {
    ...sentences,
    title: "tells which texts answer a question",
    label: "Question",
    others: "Texts, one a line",
    path: "rerank",
    body: (text, others) => ({query: text, texts: lines(others)}),
    read(answer, others) {
      const names = lines(others);
      const bars = answer.map(({index, score}) => ({name: names[index], share: score, value: percent(score)}));
      return {title: bars[0].name, detail: bars[0].value, bars};
    },
  },
};

/** The fault of a reply as a sentence, whatever protocol wrote it. */
export function complaint(status, body, retryAfter) {
  const wait = retryAfter ? ` Try again in ${retryAfter} s.` : " Try again soon.";
  if (status === 401 || status === 403) return "This server wants an API key: please fill it in above.";
  if (status === 413) return "This is more text than the server takes at once.";
  if (status === 429) return "The server is busy." + wait;
  if (status === 503) return "The server is starting or about to end." + wait;
  const detail = body && (body.error ?? body.detail ?? body.message);
  const words = typeof detail === "string" ? detail : Array.isArray(detail) ? detail[0]?.msg : detail?.message;
  return `The server answered ${status}` + (words ? `: ${words}` : ".");
}
