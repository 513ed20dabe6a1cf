/* Conveniences that need a script: keys, and buttons that copy. */

"use strict";

(() => {
    const SAID_MS = 1500;

    document.documentElement.classList.add("yt-scripted");

    /* "/" looks for something, "r" reloads: only outside of fields, and alone. */
    document.addEventListener("keydown", (event) => {
        const inField = event.target.closest("input, textarea, select, [contenteditable]");
        if (inField || event.ctrlKey || event.metaKey || event.altKey) {
            return;
        }
        const search = document.querySelector("[data-search]");
        if (event.key === "/" && search) {
            event.preventDefault();
            search.focus();
        } else if (event.key === "r") {
            document.dispatchEvent(new Event("yt-refresh"));
        }
    });

    document.addEventListener("click", async (event) => {
        const button = event.target.closest("[data-copy]");
        if (!button) {
            return;
        }
        try {
            await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
            mark(button, "✓");
        } catch {
            mark(button, "✗"); // only pages served securely may use the clipboard
        }
    });

    function mark(button, sign) {
        const text = button.textContent;
        button.textContent = sign;
        setTimeout(() => {
            button.textContent = text;
        }, SAID_MS);
    }
})();
