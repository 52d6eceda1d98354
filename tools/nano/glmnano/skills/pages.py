# SPDX-License-Identifier: MIT
"""Small front-end pages from a vocabulary of elements, colours, texts and click handlers.

A page is a list of elements; the request describes them, the answer is one complete HTML document. The check carries the
elements, so that the evaluator can parse the document and, with a browser at hand, click.
"""

from .. import words
from ..dialogue import Dialogue

SIZES = {"small": "12px", "large": "24px", "huge": "40px"}


class Element:
    """One visible element: tag, text, style, and what a click does."""

    def __init__(self, split, rng):
        self.kind = rng.choice(("button", "button", "button", "heading", "paragraph", "link", "list", "box", "input"))
        self.text = _text(split, rng, self.kind)
        self.colour = rng.choice(words.COLOURS) if rng.random() < 0.7 and self.kind not in ("list", "input") else None
        self.size = rng.choice(sorted(SIZES)) if rng.random() < 0.15 and self.kind in ("button", "heading", "paragraph") else None
        self.items = [_text(split, rng, "item") for _ in range(rng.randint(2, 4))] if self.kind == "list" else []
        self.click = None
        if self.kind in ("button", "box") and rng.random() < 0.55:
            self.click = rng.choice(("alert", "alert", "text", "hide", "colour", "count"))
        self.click_text = words.phrase(split, rng, 1, 2) if self.click in ("alert", "text") else None
        self.click_colour = rng.choice([c for c in words.COLOURS if c != self.colour]) if self.click == "colour" else None

    def described(self, rng):
        """The element in the words of the request."""
        size = self.size + " " if self.size else ""
        colour = self.colour + " " if self.colour else ""
        if self.kind == "list":
            out = "a list of " + ", ".join(self.items)
        elif self.kind == "input":
            out = f"an input with the placeholder {_quoted(rng, self.text)}"
        else:
            says = rng.choice(("that says", "with the text", "saying", "labelled")) if self.kind == "button" else rng.choice(("that says", "with the text"))
            first = size + colour + self.kind
            article = "an" if first[0] in "aeio" else "a"
            out = f"{article} {first} {says} {_quoted(rng, self.text)}"
        return out + self._described_click(rng)

    def _described_click(self, rng):
        if not self.click:
            return ""
        when = rng.choice((" that when clicked", " which on click", " that on click"))
        does = {
            "alert": f" shows an alert {self.click_text!r}",
            "text": f" changes its text to {self.click_text!r}",
            "hide": " disappears",
            "colour": f" turns {self.click_colour}",
            "count": " counts the clicks",
        }
        return when + does[self.click].replace('"', "'")

    def style(self, name):
        """The CSS rule of the element, or nothing."""
        rules = []
        if self.colour and self.kind in ("button", "box"):
            rules.append(f"background: {self.colour}")
            rules.append("color: " + ("white" if self.colour in words.DARK else "black"))
        elif self.colour:
            rules.append(f"color: {self.colour}")
        if self.size:
            rules.append(f"font-size: {SIZES[self.size]}")
        if self.kind == "box":
            rules.append("padding: 20px")
        return f"#{name} {{ {'; '.join(rules)}; }}\n" if rules else ""

    def html(self, name):
        """The element's markup."""
        action = {
            None: "",
            "alert": f"alert('{self.click_text}')",
            "text": f"this.textContent = '{self.click_text}'",
            "hide": "this.style.display = 'none'",
            "colour": f"this.style.background = '{self.click_colour}'",
            "count": "this.textContent = this.n = (this.n || 0) + 1",
        }[self.click]
        click = f' onclick="{action}"' if action else ""
        if self.kind == "list":
            return f'<ul id="{name}">\n' + "".join(f"<li>{item}</li>\n" for item in self.items) + "</ul>\n"
        if self.kind == "input":
            return f'<input id="{name}" placeholder="{self.text}">\n'
        if self.kind == "link":
            return f'<a id="{name}" href="#">{self.text}</a>\n'
        tag = {"button": "button", "heading": "h1", "paragraph": "p", "box": "div"}[self.kind]
        return f'<{tag} id="{name}"{click}>{self.text}</{tag}>\n'

    def title(self):
        """What the page is called after when this is its first element."""
        return self.items[0] if self.items else self.text

    def wanted(self):
        """What the evaluator looks for."""
        return {"kind": self.kind, "text": self.text, "colour": self.colour, "size": self.size, "items": self.items,
                "click": self.click, "click_text": self.click_text, "click_colour": self.click_colour}


def _text(split, rng, kind):
    if kind != "item" and words.is_mixing(split, rng, 0.25):
        text = words.mixed(rng, "zh" if rng.random() < 0.2 else "en")
        return text[0].upper() + text[1:] if rng.random() < 0.6 else text
    if kind in ("button", "link") and rng.random() < 0.6:
        return split.pick(rng, "label", words.LABELS)
    if kind == "item":
        return rng.choice(words.NOUNS if rng.random() < 0.7 else words.FOODS)
    if rng.random() < 0.1:
        return split.pick(rng, "label_zh", words.LABELS_ZH)
    text = words.phrase(split, rng, 1, 3)
    return text[0].upper() + text[1:] if rng.random() < 0.6 else text


def _quoted(rng, text):
    return rng.choice((text, f"'{text}'", f'"{text}"', f"'{text}'", f'"{text}"'))


def document(elements, background):
    """The whole page."""
    style = f"body {{ background: {background}; }}\n" if background else "body { font-family: sans-serif; }\n"
    style += "".join(e.style(f"e{i + 1}") for i, e in enumerate(elements))
    body = "".join(e.html(f"e{i + 1}") for i, e in enumerate(elements))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{elements[0].title()}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}</body>\n</html>"
    )


ASK = ["Make a page with {x}.", "Create a web page with {x}.", "Build an HTML page with {x}.", "{x}", "Write HTML for {x}.", "I want {x}.",
       "Show me {x}.", "Please make {x}.", "A page with {x}", "Write a web page that has {x}.", "Create {x} in HTML.", "做一个网页: {x}"]


def sample(split, rng):
    """(request, document, what to check)."""
    while True:
        elements = [Element(split, rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
        background = rng.choice(words.COLOURS) if rng.random() < 0.25 else None
        x = ", ".join(e.described(rng) for e in elements[:-1])
        x += (" and " if x else "") + elements[-1].described(rng)
        if background:
            x += rng.choice((f" on a {background} background", f", with a {background} background"))
        request = rng.choice(ASK).format(x=x)
        if split.owns(f"page:{request}"):
            check = {"kind": "html", "elements": [e.wanted() for e in elements], "background": background}
            return request, document(elements, background), check


def make(split, rng):
    """One or two pages in one conversation."""
    think = rng.random() < 0.35
    messages = []
    for _ in range(rng.choice((1, 1, 2))):
        request, page, check = sample(split, rng)
        messages.append({"role": "user", "content": request})
        answer = {"role": "assistant", "content": f"```html\n{page}\n```"}
        if think:
            kinds = ", ".join(e["kind"] for e in check["elements"])
            answer["reasoning_content"] = f"The user wants a page with: {kinds}. I write one HTML document."
        messages.append(answer)
    return Dialogue("pages", messages, think=think, effort=rng.choice(("max", "max", "high")), keep=rng.random() < 0.85, check=check)
