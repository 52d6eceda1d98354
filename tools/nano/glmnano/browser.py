# SPDX-License-Identifier: MIT
"""Clicks through generated pages in a real browser, headless Chromium: one process for all pages.

Every page is loaded into a frame of its own; a script looks at the computed style of each wanted element, clicks it and looks
at what happened. Needs nothing but the browser (Debian: chromium-headless-shell).
"""

import json
import re
import subprocess
import tempfile
from html import unescape
from pathlib import Path

from .judge import TAGS

_HARNESS = """<!DOCTYPE html>
<meta charset="utf-8">
<body><pre id="result"></pre>
<script>
const pages = PAGES, tags = TAGS;
function computed(window, name) {
  const probe = window.document.createElement("i");
  probe.style.color = name;
  window.document.body.appendChild(probe);
  const value = window.getComputedStyle(probe).color;
  probe.remove();
  return value;
}
function try_element(window, element, want) {
  const style = () => window.getComputedStyle(element), alerts = [];
  window.alert = text => alerts.push(String(text));
  if (element.localName !== tags[want.kind]) return "is a " + element.localName;
  if (style().display === "none") return "hidden";
  const paint = want.kind === "button" || want.kind === "box" ? "backgroundColor" : "color";
  if (want.colour && style()[paint] !== computed(window, want.colour)) return "colour " + style()[paint];
  const before = element.textContent, painted = style().backgroundColor;
  const n = want.click === "count" ? 3 : 1;
  for (let i = 0; i < n; i++) element.click();
  const after = element.textContent, now = style();
  const wanted_text = want.click === "text" ? want.click_text : want.click === "count" ? "3" : before;
  const wanted_paint = want.click === "colour" ? computed(window, want.click_colour) : painted;
  if (JSON.stringify(alerts) !== JSON.stringify(want.click === "alert" ? [want.click_text] : [])) return "alerts " + alerts;
  if (after !== wanted_text) return "text " + after;
  if (now.backgroundColor !== wanted_paint) return "background " + now.backgroundColor;
  if ((now.display === "none") !== (want.click === "hide")) return "display " + now.display;
  return "";
}
function try_page(window, page) {
  const found = [...window.document.body.querySelectorAll(Object.values(tags).join())];
  if (found.length !== page.elements.length) return found.length + " elements";
  const paint = window.getComputedStyle(window.document.body).backgroundColor;
  if (page.background && paint !== computed(window, page.background)) return "page background " + paint;
  for (let i = 0; i < found.length; i++) {
    const wrong = try_element(window, found[i], page.elements[i]);
    if (wrong) return page.elements[i].kind + ": " + wrong;
  }
  return "";
}
function load(page) {
  return new Promise(done => {
    const frame = document.createElement("iframe");
    frame.onload = () => {
      let wrong;
      try { wrong = try_page(frame.contentWindow, page); } catch (e) { wrong = "error " + e; }
      frame.remove();
      done(wrong);
    };
    frame.srcdoc = page.html;
    document.body.appendChild(frame);
  });
}
(async () => {
  const out = [];
  for (const page of pages) out.push(await load(page));
  document.getElementById("result").textContent = JSON.stringify(out);
})();
</script>
"""


def click_through(command, pages):
    """For every (check, html text) what is wrong with it in the browser `command`; "" where all is well."""
    data = [{"html": html, "elements": check["elements"], "background": check["background"]} for check, html in pages]
    script = json.dumps(data, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\!--")
    text = _HARNESS.replace("= PAGES, tags = TAGS", f"= {script}, tags = {json.dumps(TAGS)}", 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pages.html"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [command, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--virtual-time-budget=60000",
             "--timeout=120000", "--dump-dom", path.as_uri()],
            capture_output=True, text=True, check=True, timeout=300)
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.S)
    result = json.loads(unescape(found[1])) if found and found[1] else []
    if len(result) != len(pages):
        raise RuntimeError(f"{command}: expected {len(pages)} results, got {len(result)}")
    return result
