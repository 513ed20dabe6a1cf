/* Keeps the regions of the page fresh. Without it the page is the same, and a link reloads it. */

"use strict";

(() => {
    const LIVE_MS = 2000;
    const SLOWEST_MS = 60000;
    const PATIENCE_MS = 10000;
    const SAY_MS = 10000; // a screen reader is told news this often at most
    const KEPT_AS = "yao_tasks.refresh";

    const bar = document.getElementById("yt-refresh");
    if (!bar) {
        return; // a page that stays as it is
    }
    const regions = document.getElementById("yt-regions");
    const when = bar.querySelector(".yt-when");
    const speaker = bar.querySelector("[role=status]");
    const said = bar.dataset;

    let mode = recall();
    let etag = "";
    let failures = 0;
    let held = false;
    let gone = "";
    let busy = false;
    let timer = 0;
    let updatedAt = Date.now();
    let spokenAt = 0;
    let spoken = summary();

    function recall() {
        try {
            return localStorage.getItem(KEPT_AS) === "off" ? "off" : "live";
        } catch {
            return "live"; // storage may be forbidden
        }
    }

    function remember() {
        try {
            localStorage.setItem(KEPT_AS, mode);
        } catch {
            // then it holds for this page only
        }
    }

    /* Fetching */

    function plan() {
        clearTimeout(timer);
        if (mode === "live" && !gone && !document.hidden) {
            timer = setTimeout(refresh, Math.min(SLOWEST_MS, LIVE_MS * 2 ** failures));
        }
    }

    async function refresh() {
        if (busy) {
            return;
        }
        busy = true;
        try {
            await take(await ask());
        } catch {
            failures = Math.min(failures + 1, 10);
        }
        busy = false;
        show();
        plan();
    }

    function ask() {
        return fetch(said.url, {
            headers: etag ? { "If-None-Match": etag } : {},
            redirect: "manual", // to the login page, once the session is over
            signal: AbortSignal.timeout(PATIENCE_MS),
        });
    }

    async function take(response) {
        if (response.type === "opaqueredirect" || response.status === 403) {
            gone = said.gone;
        } else if (response.status === 404 || response.status === 400) {
            gone = said.missing;
        } else if (response.status === 200) {
            held = !replace(await response.text());
            // What was held back has to come again.
            etag = held ? "" : response.headers.get("ETag") || "";
        } else if (response.status !== 304) {
            throw new Error(`The server answered ${response.status}.`);
        }
        failures = 0;
        updatedAt = Date.now();
    }

    /* Replacing: answers whether all regions are fresh now. */

    function replace(html) {
        const fresh = new DOMParser().parseFromString(html, "text/html");
        let all = true;
        for (const region of regions.querySelectorAll("[data-region]")) {
            const next = fresh.querySelector(`[data-region="${region.dataset.region}"]`);
            if (!next) {
                throw new Error("The server answered something else.");
            }
            keepOpen(region, next);
            if (region.isEqualNode(next)) {
                continue;
            }
            if (isInUse(region)) {
                all = false;
            } else {
                region.replaceWith(next);
            }
        }
        return all;
    }

    /* What the reader has opened stays open. */
    function keepOpen(region, next) {
        const open = [...region.querySelectorAll("details[open]")].map((details) => details.dataset.kept);
        for (const details of next.querySelectorAll("details")) {
            details.open = open.includes(details.dataset.kept);
        }
    }

    function isInUse(region) {
        const selection = document.getSelection();
        const selected = selection.rangeCount && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(region);
        const chosen = region.querySelector("input:checked");
        return selected || chosen || region.contains(document.activeElement);
    }

    /* Saying */

    function show() {
        const trouble = gone ? gone : failures ? said.lost : "";
        when.classList.toggle("yt-trouble", Boolean(trouble));
        const seconds = Math.max(0, Math.round((Date.now() - updatedAt) / 1000));
        when.textContent = trouble || (held ? said.held : said.updated.replace("{seconds}", seconds));
        say(trouble || summary());
    }

    function say(text) {
        const due = Date.now() - spokenAt >= SAY_MS;
        if (text !== spoken && due) {
            spoken = text;
            spokenAt = Date.now();
            speaker.textContent = text;
        }
    }

    function summary() {
        return regions.querySelector("[data-summary]").dataset.summary;
    }

    function switchTo(chosen) {
        mode = chosen;
        failures = 0;
        for (const button of bar.querySelectorAll("[data-mode]")) {
            button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
        }
        plan();
    }

    /* Starting */

    for (const button of bar.querySelectorAll("[data-mode]")) {
        button.addEventListener("click", () => {
            switchTo(button.dataset.mode);
            remember();
            if (mode === "live") {
                refresh();
            }
        });
    }
    document.addEventListener("yt-refresh", refresh);
    document.addEventListener("visibilitychange", () => {
        clearTimeout(timer);
        if (!document.hidden && mode === "live" && !gone) {
            refresh();
        }
    });
    setInterval(() => {
        if (!document.hidden) {
            show();
        }
    }, 1000);
    bar.querySelector(".yt-modes").hidden = false;
    switchTo(mode);
    show();
})();
