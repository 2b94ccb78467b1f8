"use strict";
// A page to try a recommender in. Whatever comes from the service is written by textContent, never as HTML.

const TEXTS = {
  en: {
    skip: "To the list", language: "Language", key: "API key", send: "Send", ask: "Ask", user: "User (any name; unknown ones get a cold start)",
    request: "What are they looking for? (free text, may be empty)", k: "Items", recommend: "Recommend", query: "Search the catalogue",
    search: "Search", converse: "Converse", say: "Your message", list: "List", choices: "What was said about items", forget: "Forget it",
    like: "Like", dislike: "Not for me", similar: "Similar", liked: "liked", disliked: "not for me",
    listOf: "For {0}", cold: "For {0}, who has no events in the model", found: "For the words “{0}”", near: "Similar to {0}", empty: "Nothing was found.",
    local: "Kept in this page alone: likes are added to the history of a request, the others are left out of lists.",
    learned: "Sent to the service as feedback.", model: "{0}, {1} items, version {2}", anyone: "somebody new", unreachable: "The service cannot be reached.",
    first: "Model", second: "Beside it", none: "no other", heading: "{0} (version {1})", place: "{0}: place {1}", missing: "{0}: not in its list",
    cannot: "{0} cannot do this.",
  },
  zh: {
    skip: "跳到列表", language: "语言", key: "API 密钥", send: "发送", ask: "提问", user: "用户（任意名字；未知用户走冷启动）",
    request: "想找什么？（自由文本，可留空）", k: "条数", recommend: "推荐", query: "搜索目录",
    search: "搜索", converse: "对话", say: "你的消息", list: "列表", choices: "对物品的反馈", forget: "清除",
    like: "喜欢", dislike: "不适合我", similar: "相似", liked: "喜欢", disliked: "不适合",
    listOf: "为 {0} 推荐", cold: "为 {0} 推荐（模型中没有该用户的记录）", found: "与“{0}”相符", near: "与 {0} 相似", empty: "没有找到。",
    local: "只保存在本页：喜欢的加入请求的历史，其余的从列表中排除。",
    learned: "已作为反馈发送给服务。", model: "{0}，{1} 件物品，版本 {2}", anyone: "新用户", unreachable: "无法连接服务。",
    first: "模型", second: "并排比较", none: "不比较", heading: "{0}（版本 {1}）", place: "{0}：第 {1} 位", missing: "{0}：未列出",
    cannot: "{0} 不支持此功能。",
  },
};

const at = (id) => document.getElementById(id);
const state = { language: "en", models: [], chats: {}, choices: [], again: null, key: "", shown: 0, typed: 0 };

function text(name, ...values) {
  return TEXTS[state.language][name].replace(/\{(\d)\}/g, (_, number) => values[Number(number)]);
}

function element(tag, content = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

function button(label, name, run) {
  const made = element("button", label);
  made.type = "button";
  made.setAttribute("aria-label", `${label}: ${name}`);
  made.addEventListener("click", run);
  return made;
}

function translate(language) {
  state.language = language in TEXTS ? language : "en";
  document.documentElement.lang = state.language === "zh" ? "zh-Hans" : "en";
  at("language").value = state.language;
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = text(one.dataset.text);
  if (state.models.length) offerModels();
  showModels();
  showChoices();
}

// Calls of the service ----------------------------------------------------------------------------

async function call(path, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (state.key) headers.Authorization = `Bearer ${state.key}`;
  let answer;
  try {
    answer = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw new Error(text("unreachable"));
  }
  const value = await answer.json().catch(() => ({}));
  if (answer.status === 401) at("key-form").hidden = false;
  if (!answer.ok) {
    const error = new Error(value.message || value.error?.message || `${answer.status}`);
    throw Object.assign(error, { unknown: value.error?.code === "unknown_item" ? value.error.items || [] : [] });
  }
  for (const [name, version] of Object.entries(value.versions || { [value.model]: value.version })) {
    const model = state.models.find((one) => one.model === name);
    if (model) model.version = version;
  }
  showModels();
  return value;
}

// The models that are chosen: one, or two side by side.
function chosen() {
  const of = (id) => state.models.find((model) => model.model === at(id).value);
  return [of("first") || state.models[0], of("second")].filter((model, place, all) => model && all.indexOf(model) === place);
}

// Shows what each chosen model gives; of several questions that run, the last one.
async function show(ask, needs) {
  state.again = () => show(ask, needs);
  const number = ++state.shown;
  const models = chosen();
  at("error").textContent = "";
  at("results").setAttribute("aria-busy", "true");
  const found = await Promise.all(models.map(async (model) => {
    try {
      if (!model.can.includes(needs)) throw new Error(text("cannot", model.model));
      const [title, items, note] = await ask(model);
      return { model, title, items, note };
    } catch (error) {
      return { model, title: "", items: [], error: error.message };
    }
  }));
  if (number !== state.shown) return;
  at("results").removeAttribute("aria-busy");
  showLists(found);
}

function showLists(found) {
  const two = found.length > 1;
  document.body.classList.toggle("two", two);
  document.querySelectorAll(".column").forEach((column, place) => {
    const one = found[place];
    column.hidden = !one;
    const other = two ? found[1 - place] : undefined;
    column.querySelector("ol").replaceChildren(...(one ? one.items.map((entry) => card(entry, other)) : []));
    const note = column.querySelector(".note");
    note.textContent = two ? one.error || one.note || "" : "";
    note.classList.toggle("bad", Boolean(one?.error));
  });
  const answered = found.find((one) => !one.error);
  at("error").textContent = two && answered ? "" : found[0].error || "";
  at("status").textContent = "";
  if (answered) {
    const note = two ? "" : answered.note;
    at("status").textContent = answered.items.length ? `${answered.title}${note ? ` – ${note}` : ""}` : `${answered.title}: ${text("empty")}`;
  }
  showModels();
}

// An item of a list, with its place in the other one.
function card(entry, other) {
  const made = element("li");
  const name = entry.title || String(entry.item);
  made.append(element("span", name, "title"));
  if (entry.title) made.append(element("p", String(entry.item)));
  if (entry.reason) made.append(element("p", entry.reason));
  if (other && !other.error) {
    const place = other.items.findIndex((one) => one.item === entry.item) + 1;
    made.append(element("p", place ? text("place", other.model.model, place) : text("missing", other.model.model), "other"));
  }
  const actions = element("div", "", "actions");
  actions.append(button(text("like"), name, () => choose(entry, true)), button(text("dislike"), name, () => choose(entry, false)));
  if (any("similar")) actions.append(button(text("similar"), name, () => similar(entry)));
  made.append(actions);
  return made;
}

const any = (what) => chosen().some((model) => model.can.includes(what));
const count = () => Number(at("k").value) || 8;

function userOf(model) {
  const given = at("user").value.trim();
  return /^-?\d{1,15}$/.test(given) && model.numeric_users ? Number(given) : given || text("anyone");
}

const user = () => userOf(chosen()[0]);

// The values of some context columns; nothing where one of them is empty.
function contextOf(columns) {
  if (!columns.length) return undefined;
  const row = {};
  for (const name of columns) {
    const given = at(`context-${name}`).value.trim();
    if (!given) return undefined;
    row[name] = Number.isNaN(Number(given)) ? given : Number(given);
  }
  return row;
}

const contextColumns = () => [...new Set(chosen().flatMap((model) => model.context_columns))];

function recommend() {
  const wish = at("request").value.trim();
  return show(async (model) => {
    const asked = userOf(model);
    const body = { model: model.model, users: [asked], k: count(), reasons: model.can.includes("explain"), language: state.language };
    const row = contextOf(model.context_columns);
    if (wish) body.request = wish;
    if (row) body.context = [row];
    const own = state.choices.filter((choice) => choice.user === asked && !choice.sent);
    const pairs = (liked) => own.filter((choice) => choice.liked === liked).map((choice) => ({ user: asked, item: choice.item }));
    if (pairs(true).length) body.history = pairs(true);
    if (pairs(false).length) body.exclude = pairs(false);
    const [list] = (await known(model, body, own)).lists;
    return [text(list.known || pairs(true).length ? "listOf" : "cold", asked), list.items, list.note];
  }, "recommend");
}

// Asks for a list; once more without what this model does not know, where the other one has shown it.
async function known(model, body, own) {
  try {
    return await call("recommend", body);
  } catch (error) {
    const rest = (pairs) => pairs?.filter((pair) => !error.unknown.includes(pair.item));
    if (!error.unknown?.length || !own.length) throw error;
    return call("recommend", { ...body, history: rest(body.history), exclude: rest(body.exclude) });
  }
}

function search() {
  const words = at("query").value.trim();
  if (!words) return undefined;
  return show(async (model) => {
    const [list] = (await call("search", { model: model.model, texts: words, k: count() })).lists;
    return [text("found", words), list.items, list.note];
  }, "search");
}

function similar(entry) {
  return show(async (model) => {
    const [list] = (await call("similar", { model: model.model, items: [entry.item], k: count() })).lists;
    return [text("near", entry.title || entry.item), list.items, list.note];
  }, "similar");
}

async function choose(entry, liked) {
  const choice = { user: user(), item: entry.item, name: entry.title || String(entry.item), liked, sent: false };
  try {
    if (any("feedback")) {
      const event = { user: choice.user, item: choice.item, value: liked ? 1 : 0 };
      const row = contextOf(contextColumns());
      if (row) event.context = row;
      await call("feedback", { events: [event], wait: true });
      choice.sent = true;
    }
  } catch (error) {
    at("error").textContent = error.message;
    return;
  }
  state.choices = state.choices.filter((one) => one.user !== choice.user || one.item !== choice.item).concat(choice);
  showChoices();
  await recommend();
  at("results").focus();
}

async function converse(words) {
  if (words) at("turns").append(element("li", words, "mine"));
  await show(async (model) => {
    const body = { model: model.model, text: words, state: state.chats[model.model] || null, k: 5 };
    if (at("user").value.trim()) body.user = userOf(model);
    const turn = await call("converse", body);
    state.chats[model.model] = turn.state;
    const said = turn.question && !turn.message.includes(turn.question) ? `${turn.message} ${turn.question}` : turn.message;
    at("turns").append(element("li", chosen().length > 1 ? `${model.model}: ${said}` : said));
    return [text("listOf", at("user").value.trim() || text("anyone")), turn.items, ""];
  }, "converse");
  state.again = null;  // to say it again would be another turn
}

// Offers users whose id begins with what is typed.
async function offerUsers() {
  const number = ++state.typed;
  await new Promise((resolve) => setTimeout(resolve, 150));
  if (!state.userList || number !== state.typed) return;
  const query = new URLSearchParams({ q: at("user").value.trim(), limit: 20, model: chosen()[0].model });
  const { users } = await call(`users?${query}`).catch(() => ({ users: [] }));
  if (number !== state.typed) return;
  at("users").replaceChildren(...users.map((id) => Object.assign(element("option"), { value: String(id) })));
}

// What stands around the lists --------------------------------------------------------------------

function showModels() {
  const models = chosen();
  const name = (model) => (model.model === model.recommender ? model.model : `${model.model} (${model.recommender})`);
  const lines = models.map((model) => text("model", name(model), model.items, model.version));
  at("model").textContent = lines.join(state.language === "zh" ? "；" : "; ");
  [0, 1].forEach((place) => {
    const model = models.length > 1 ? models[place] : undefined;
    at(`name-${place}`).textContent = model ? text("heading", model.model, model.version) : "";
  });
}

function showChoices() {
  at("choices").hidden = !state.choices.length;
  at("choices-note").textContent = text(state.choices.some((one) => !one.sent) ? "local" : "learned");
  at("chosen").replaceChildren(
    ...state.choices.map((one) => element("li", `${one.user}: ${one.name} – ${text(one.liked ? "liked" : "disliked")}`)),
  );
}

function offerModels() {
  const options = state.models.map((model) => Object.assign(element("option", model.model), { value: model.model }));
  const none = Object.assign(element("option", text("none")), { value: "" });
  const [first, second] = [at("first").value || state.models[0]?.model, at("second").options.length ? at("second").value : state.models[1]?.model];
  at("first").replaceChildren(...options);
  at("second").replaceChildren(none, ...options.map((option) => option.cloneNode(true)));
  at("first").value = first;
  at("second").value = second || "";
  at("models").hidden = state.models.length < 2;
}

// The fields that the chosen models can use.
function offerFields() {
  at("search-form").hidden = !any("search");
  at("chat").hidden = !any("converse");
  const before = Object.fromEntries([...at("context").querySelectorAll("input")].map((input) => [input.id, input.value]));
  at("context").replaceChildren(
    ...contextColumns().map((name) => {
      const label = element("label");
      const input = element("input");
      input.id = `context-${name}`;
      input.autocomplete = "off";
      input.value = before[input.id] || "";
      label.append(element("span", name), input);
      return label;
    }),
  );
  showModels();
}

async function begin() {
  try {
    const health = await call("health");
    state.models = health.models;
    state.userList = health.user_list;
  } catch (error) {
    at("error").textContent = error.message;
    return;
  }
  offerModels();
  offerFields();
  offerUsers();
}

const asked = new URLSearchParams(location.search);
const submitted = (id, run) => at(id).addEventListener("submit", (event) => { event.preventDefault(); run(); });
const again = () => state.again && state.again();

submitted("recommend-form", recommend);
submitted("search-form", search);
submitted("models", () => {});
submitted("chat-form", () => {
  const words = at("text").value.trim();
  at("text").value = "";
  if (words) converse(words);
});
submitted("key-form", async () => {
  state.key = at("key").value.trim();
  at("key-form").hidden = true;
  at("error").textContent = "";
  await begin();
});
at("user").addEventListener("input", offerUsers);
for (const id of ["first", "second"]) at(id).addEventListener("change", () => { offerFields(); again(); });
at("language").addEventListener("change", () => {
  translate(at("language").value);
  again();
});
at("forget").addEventListener("click", () => {
  state.choices = [];
  showChoices();
  again();
});

at("user").value = asked.get("user") || "";
translate(asked.get("language") || (navigator.language.startsWith("zh") ? "zh" : "en"));
begin().then(() => {
  if (state.models.length && asked.get("user")) recommend();
});
