// <job-progress src="…">: a bar that follows a job, by its events or by asking again. See docs/http.md.
// ms: a stream that says nothing for so long is dead; at first, it is kept back by a proxy
const QUIET = 40000, BUFFERED = 8000;
const OFTEN = 1000, SELDOM = 30000; // ms between two questions

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host { display: block }
progress { display: block; inline-size: 100%; block-size: var(--job-progress-height, 1em);
  accent-color: var(--job-progress-color, auto) }
[part=left] { float: inline-end }`);

const ended = (job) => /SUCCESS|FAILURE/.test(job?.status);
const sources = new Map(); // all elements of a page that show one job share one

class Source {
  elements = new Set();
  pause = OFTEN;
  unknown = 0;
  deaf = 0; // streams in a row that told nothing

  constructor(url) {
    this.url = url;
  }

  begin() {
    this.stop();
    if (ended(this.job)) return;
    if (this.deaf < 2 && [...this.elements].some((one) => one.hasAttribute("events"))) this.listen();
    else this.ask(this.turn);
  }

  stop() {
    this.stream?.close();
    clearTimeout(this.timer);
    this.turn = {}; // what was asked before is no longer waited for
  }

  listen() {
    const url = new URL(this.url, location);
    url.pathname += "events/";
    const stream = (this.stream = new EventSource(url));
    const fail = () => {
      this.deaf += 1;
      this.stop();
      this.ask(this.turn);
    };
    const hear = (event, wait = QUIET) => {
      clearTimeout(this.timer);
      this.timer = setTimeout(fail, wait);
      if (event?.data) this.deaf = 0;
      if (event) this.tell(event.data ? JSON.parse(event.data) : this.job);
    };
    hear(null, BUFFERED);
    for (const name of ["ping", "progress", "success", "failure"]) stream.addEventListener(name, hear);
    stream.onerror = () => (stream.readyState === 2 ? fail() : this.each("say", "lost"));
  }

  async ask(turn) {
    let wait;
    try {
      const headers = this.tag ? { "If-None-Match": this.tag } : {};
      const answer = await fetch(this.url, { cache: "no-store", headers });
      const job = answer.ok && (await answer.json());
      if (turn !== this.turn) return;
      if (/404|409/.test(answer.status) && ++this.unknown > 2) return this.each("say", "unknown");
      if (!job && answer.status !== 304) {
        wait = 1000 * answer.headers.get("Retry-After");
        throw answer;
      }
      this.unknown = 0;
      this.pause = OFTEN;
      this.tag = answer.headers.get("ETag");
      this.tell(job || this.job);
      if (ended(job)) return;
      if (this.deaf === 1) return this.begin(); // the server is back
    } catch {
      if (turn !== this.turn) return;
      if (!this.unknown) {
        this.pause = Math.min(2 * this.pause, SELDOM);
        this.each("say", "lost");
      }
    }
    this.timer = setTimeout(() => this.ask(turn), wait || this.pause);
  }

  tell(job) {
    this.job = job;
    if (ended(job)) this.stop();
    if (job) this.each("show", job);
  }

  each(verb, what) {
    for (const one of [...this.elements]) one[verb](what);
  }
}

customElements.define("job-progress", class extends HTMLElement {
  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    for (const name of ["bar", "left", "message", "status", "link"]) {
      const tag = { bar: "progress", link: "slot" }[name] ?? "span";
      this[name] = root.appendChild(document.createElement(tag));
      this[name].part = name;
    }
    this.status.role = "status";
    this.link.name = "reload";
  }

  connectedCallback() {
    const url = this.getAttribute("src");
    const path = url.split("?")[0]; // signatures of two moments differ
    this.bar.ariaLabel = this.getAttribute("label");
    if (!sources.has(path)) sources.set(path, new Source(url));
    this.source = sources.get(path);
    this.source.elements.add(this);
    this.say("waiting");
    if (this.source.job) queueMicrotask(() => this.show(this.source.job));
    else if (this.source.elements.size === 1) this.source.begin();
    this.clock = setInterval(() => this.tick(), 1000);
  }

  disconnectedCallback() {
    clearInterval(this.clock);
    this.source.elements.delete(this);
    if (this.source.elements.size) return;
    this.source.stop();
    sources.delete(this.source.url.split("?")[0]);
  }

  show(job) {
    if (this.over) return;
    const isNew = job !== this.job;
    this.job = job;
    this.over = ended(job);
    const name = this.over ? job.status.toLowerCase() : "progress";
    const [value, max] = name === "success" ? [1, 1] : job.total > 0 ? [job.current, job.total] : [0, +this.over];
    if (max > 0) Object.assign(this.bar, { max, value });
    else this.bar.removeAttribute("value");
    if (isNew) this.until = performance.now() + 1000 * job.eta;
    set(this.message, this.over ? "" : job.message);
    this.say(this.over ? name : job.status === "WAITING" && "waiting", name === "failure" && job.response);
    this.setAttribute("status", job.status.toLowerCase());
    this.tick();
    if (isNew) this.dispatchEvent(new CustomEvent(`job-${name}`, { detail: job, bubbles: true, composed: true }));
  }

  tick() {
    const left = this.over ? 0 : (this.until - performance.now()) / 1000;
    const time = `${Math.floor(left / 60)}:${String(Math.floor(left % 60)).padStart(2, 0)}`;
    set(this.left, left > 0 ? this.getAttribute("text-left")?.replace("{time}", time) : "");
  }

  say(what, words) {
    this.link.hidden = what !== "unknown";
    set(this.status, words || (what && this.getAttribute(`text-${what}`)) || "");
  }
});

function set(element, text) {
  // A screen reader speaks whatever is written, so nothing is written twice.
  if (element.textContent !== text) element.textContent = text;
}

// After a sleep, or a time without a network, whatever was open may be dead.
const wake = () => document.hidden || sources.forEach((source) => source.begin());
document.addEventListener("visibilitychange", wake);
addEventListener("online", wake);
