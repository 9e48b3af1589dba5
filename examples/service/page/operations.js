// The operations of /openapi.json, a list for each tag, with their examples.

function element(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

function firstExample(content) {
  const media = content?.["application/json"];
  const value = media?.example ?? Object.values(media?.examples ?? {})[0]?.value;
  return value === undefined ? [] : [element("pre", "", JSON.stringify(value, null, 1))];
}

function operation(method, path, what) {
  return element("article", "operation",
    element("h3", "", element("span", "", method.toUpperCase()), path),
    element("p", "", what.summary ?? what.description ?? ""),
    ...firstExample(what.requestBody?.content),
    element("p", "quiet", "Answers " + Object.keys(what.responses ?? {}).join(", ")));
}

async function draw() {
  const openapi = await (await fetch(new URL("../openapi.json", import.meta.url))).json();
  const methods = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];
  const sections = new Map();
  for (const [path, members] of Object.entries(openapi.paths))
    for (const method of methods.filter((one) => one in members)) {
      const tag = members[method].tags?.[0] ?? "other";
      if (!sections.has(tag)) sections.set(tag, element("section", "card", element("h2", "", tag)));
      sections.get(tag).append(operation(method, path, members[method]));
    }
  document.getElementById("operations").append(...sections.values());
}

draw().catch((error) => {
  const message = document.getElementById("error");
  message.textContent = `The description cannot be read: ${error.message}`;
  message.hidden = false;
});
