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
  },
  zh: {
    skip: "跳到列表", language: "语言", key: "API 密钥", send: "发送", ask: "提问", user: "用户（任意名字；未知用户走冷启动）",
    request: "想找什么？（自由文本，可留空）", k: "条数", recommend: "推荐", query: "搜索目录",
    search: "搜索", converse: "对话", say: "你的消息", list: "列表", choices: "对物品的反馈", forget: "清除",
    like: "喜欢", dislike: "不适合我", similar: "相似", liked: "喜欢", disliked: "不适合",
    listOf: "为 {0} 推荐", cold: "为 {0} 推荐（模型中没有该用户的记录）", found: "与“{0}”相符", near: "与 {0} 相似", empty: "没有找到。",
    local: "只保存在本页：喜欢的加入请求的历史，其余的从列表中排除。",
    learned: "已作为反馈发送给服务。", model: "{0}，{1} 件物品，版本 {2}", anyone: "新用户", unreachable: "无法连接服务。",
  },
};

const at = (id) => document.getElementById(id);
const state = { language: "en", can: [], context: [], chat: null, choices: [], again: null, key: "", shown: 0 };

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
  showModel();
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
  if (!answer.ok) throw new Error(value.message || value.error?.message || `${answer.status}`);
  if (value.version && state.model && value.version !== state.model.version) {
    state.model.version = value.version;
    showModel();
  }
  return value;
}

// Shows what a call gives; of several that run, the last one that was asked for.
async function show(ask) {
  state.again = ask;
  const number = ++state.shown;
  at("error").textContent = "";
  at("results").setAttribute("aria-busy", "true");
  try {
    const [title, items, note] = await ask();
    if (number !== state.shown) return;
    at("items").replaceChildren(...items.map(card));
    at("status").textContent = items.length ? `${title}${note ? ` – ${note}` : ""}` : `${title}: ${text("empty")}`;
  } catch (error) {
    if (number === state.shown) at("error").textContent = error.message;
  } finally {
    if (number === state.shown) at("results").removeAttribute("aria-busy");
  }
}

function card(entry) {
  const made = element("li");
  const name = entry.title || String(entry.item);
  made.append(element("span", name, "title"));
  if (entry.title) made.append(element("p", String(entry.item)));
  if (entry.reason) made.append(element("p", entry.reason));
  const actions = element("div", "", "actions");
  actions.append(button(text("like"), name, () => choose(entry, true)), button(text("dislike"), name, () => choose(entry, false)));
  if (state.can.includes("similar")) actions.append(button(text("similar"), name, () => similar(entry)));
  made.append(actions);
  return made;
}

function user() {
  const given = at("user").value.trim();
  return /^-?\d{1,15}$/.test(given) && state.numbers ? Number(given) : given || text("anyone");
}

function context() {
  if (!state.context.length) return undefined;
  const row = {};
  for (const name of state.context) {
    const given = at(`context-${name}`).value.trim();
    if (!given) return undefined;
    row[name] = given !== "" && !Number.isNaN(Number(given)) ? Number(given) : given;
  }
  return [row];
}

function recommend() {
  const [asked, wish, row, k] = [user(), at("request").value.trim(), context(), Number(at("k").value) || 8];
  return show(async () => {
    const body = { users: [asked], k, reasons: state.can.includes("explain") };
    if (wish) body.request = wish;
    if (row) body.context = row;
    const own = state.choices.filter((choice) => choice.user === asked && !choice.sent);
    const pairs = (liked) => own.filter((choice) => choice.liked === liked).map((choice) => ({ user: asked, item: choice.item }));
    if (pairs(true).length) body.history = pairs(true);
    if (pairs(false).length) body.exclude = pairs(false);
    const [list] = (await call("recommend", body)).lists;
    return [text(list.known || pairs(true).length ? "listOf" : "cold", asked), list.items, list.note];
  });
}

function search() {
  const words = at("query").value.trim();
  if (!words) return undefined;
  return show(async () => {
    const [list] = (await call("search", { texts: words, k: Number(at("k").value) || 8 })).lists;
    return [text("found", words), list.items, list.note];
  });
}

function similar(entry) {
  return show(async () => {
    const [list] = (await call("similar", { items: [entry.item], k: Number(at("k").value) || 8 })).lists;
    return [text("near", entry.title || entry.item), list.items, list.note];
  });
}

async function choose(entry, liked) {
  const choice = { user: user(), item: entry.item, name: entry.title || String(entry.item), liked, sent: false };
  try {
    if (state.can.includes("feedback")) {
      const event = { user: choice.user, item: choice.item, value: liked ? 1 : 0 };
      const row = context();
      if (row) event.context = row[0];
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
  const body = { text: words, state: state.chat, k: 5 };
  if (at("user").value.trim()) body.user = user();
  await show(async () => {
    const turn = await call("converse", body);
    state.chat = turn.state;
    at("turns").append(element("li", [turn.message, turn.question].filter(Boolean).join(" ")));
    return [text("listOf", at("user").value.trim() || text("anyone")), turn.items, ""];
  });
}

// What stands around the lists --------------------------------------------------------------------

function showModel() {
  if (state.model) at("model").textContent = text("model", state.model.model, state.model.items, state.model.version);
}

function showChoices() {
  at("choices").hidden = !state.choices.length;
  at("choices-note").textContent = text(state.choices.some((one) => !one.sent) ? "local" : "learned");
  at("chosen").replaceChildren(
    ...state.choices.map((one) => element("li", `${one.user}: ${one.name} – ${text(one.liked ? "liked" : "disliked")}`)),
  );
}

async function begin() {
  try {
    state.model = await call("health");
    state.can = state.model.can;
    state.context = state.model.context_columns;
    state.numbers = state.model.numeric_users;
  } catch (error) {
    at("error").textContent = error.message;
    return;
  }
  at("search-form").hidden = !state.can.includes("search");
  at("chat").hidden = !state.can.includes("converse");
  at("context").replaceChildren(
    ...state.context.map((name) => {
      const label = element("label");
      const input = element("input");
      input.id = `context-${name}`;
      input.autocomplete = "off";
      label.append(element("span", name), input);
      return label;
    }),
  );
  showModel();
}

const asked = new URLSearchParams(location.search);
const submitted = (id, run) => at(id).addEventListener("submit", (event) => { event.preventDefault(); run(); });

submitted("recommend-form", recommend);
submitted("search-form", search);
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
at("language").addEventListener("change", () => {
  translate(at("language").value);
  if (state.again) show(state.again);
});
at("forget").addEventListener("click", () => {
  state.choices = [];
  showChoices();
  if (state.again) show(state.again);
});

at("user").value = asked.get("user") || "";
translate(asked.get("language") || (navigator.language.startsWith("zh") ? "zh" : "en"));
begin().then(() => {
  if (state.model && asked.get("user")) recommend();
});
