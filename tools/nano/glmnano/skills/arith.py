# SPDX-License-Identifier: MIT
"""Arithmetic: addition and subtraction to three digits, two digits times one.

The working is thought where thinking is on and written above the answer where it is off: digits come out from the left, carries come
from the right, and a model this small cannot do both in one step (measured: 2 of 29 sums right without working).
"""

from ..dialogue import Dialogue

ASK = {
    "en": ["What is {a} {o} {b}?", "What's {a} {o} {b}?", "Calculate {a} {o} {b}.", "Compute {a} {o} {b}", "{a} {o} {b} = ?", "{a} {o} {b}",
           "How much is {a} {o} {b}?", "Please calculate {a} {o} {b}.", "{a}{o}{b}=?", "Tell me {a} {w} {b}.", "What is {a} {w} {b}?"],
    "zh": ["{a} {o} {b} 等于多少？", "计算 {a} {o} {b}。", "{a}{o}{b}等于几？", "请算一下 {a} {o} {b}。", "{a}{w}{b}是多少？"],
}
WORD = {"en": {"+": "plus", "-": "minus", "*": "times"}, "zh": {"+": "加", "-": "减", "*": "乘以"}}


def working_add(a, b):
    """Column addition from the right, as text."""
    left, right = str(a)[::-1], str(b)[::-1]
    steps, carry = [], 0
    for i in range(max(len(left), len(right))):
        x = int(left[i]) if i < len(left) else 0
        y = int(right[i]) if i < len(right) else 0
        total = x + y + carry
        steps.append(f"{x}+{y}+{carry}={total}")
        carry = total // 10
    if carry:
        steps.append(f"{carry}")
    return ", ".join(steps)


def working_sub(a, b):
    """Column subtraction from the right, a >= b, as text."""
    left, right = str(a)[::-1], str(b)[::-1]
    steps, borrow = [], 0
    for i in range(len(left)):
        x = int(left[i])
        y = int(right[i]) if i < len(right) else 0
        value = x - y - borrow
        borrow_next = int(value < 0)
        steps.append(f"{x + 10 * borrow_next}-{y}-{borrow}={value + 10 * borrow_next}")
        borrow = borrow_next
    return ", ".join(steps)


def working_mul(a, b):
    """Long multiplication by one digit, as text."""
    steps, carry = [], 0
    for digit in str(a)[::-1]:
        product = int(digit) * b
        total = product + carry
        steps.append(f"{digit}*{b}={product}, {product}+{carry}={total}")
        carry = total // 10
    return ", ".join(steps)


def solve(a, op, b):
    """(result, working)."""
    if op == "+":
        return a + b, working_add(a, b)
    if op == "*":
        return a * b, working_mul(a, b)
    if a >= b:
        return a - b, working_sub(a, b)
    return a - b, f"{a}<{b}, so -({b}-{a}): " + working_sub(b, a)


OPERATORS = "+++--*"  # as often as each stands here


def _operands(rng, operators):
    op = rng.choice(operators)
    if op == "*":
        return rng.randint(2, 99), op, rng.randint(2, 9)
    size = rng.choice((10, 100, 100, 1000, 1000, 1000))
    a, b = rng.randrange(size), rng.randrange(rng.choice((10, 100, 1000)) if size == 1000 else size)
    if rng.random() < 0.3:
        a, b = b, a
    return a, op, b


def make(split, rng, turns=None, operators=OPERATORS):
    """1 to 4 sums in one conversation."""
    think = rng.random() < 0.65
    lang = "zh" if rng.random() < 0.3 else "en"
    messages = []
    for _ in range(turns or rng.choice((1, 2, 3, 4))):
        a, op, b = split.draw("sum", lambda: _operands(rng, operators))
        result, working = solve(a, op, b)
        sign = rng.choice("×x*") if op == "*" else op
        ask = rng.choice(ASK[lang]).format(a=a, b=b, o=sign, w=WORD[lang][op])
        messages.append({"role": "user", "content": ask})
        shown = f"{a} {op} {b} = {result}"
        if think:
            answer = {"role": "assistant", "content": shown, "reasoning_content": f"{a} {op} {b}: {working}. Result {result}."}
        else:
            answer = {"role": "assistant", "content": f"{a} {op} {b}: {working}.\n{shown}"}
        messages.append(answer)
    return Dialogue(
        "arith", messages, think=think, effort=rng.choice(("max", "max", "high")), keep=rng.random() < 0.85,
        check={"kind": "last line", "text": shown, "op": op, "think": think},
    )
