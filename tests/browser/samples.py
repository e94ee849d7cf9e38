"""Texts as models write them, and as nobody does."""

from __future__ import annotations

MIXED = """# Title with `code`

A paragraph with **bold**, *italic*, a [link](https://example.org/x "t"), $x_1^2$ and a price of $5.

## List
- one
- two with `code` and **bold**
  - nested
    ```python
    def f():
        return 1
    ```
- three

1. first
2. second

   with a paragraph
3. third

| Name | Value | Note |
|:-----|------:|------|
| a | 1 | *x* |
| b | 2 | `y` |

```python
import os

def main() -> None:
    print(f"hello {os.name}")  # comment
```

> A quote
> that goes on

$$
\\int_0^1 x^2 dx = \\frac{1}{3}
$$

- [x] done
- [ ] not yet

Final words.
"""

SAMPLES = {
    "mixed": MIXED,
    "fences": "a\n```js\nlet a = `x`;\n\n\n```\nb\n~~~text\n```\n~~~\n  ```py\n  x\n y\n  ```\n```\nno end\n``",
    "lists": "".join(f"{n}. item {n} with *words* and [a](https://x.org)\n" for n in range(1, 60)) + "\nafter\n",
    "loose": "".join(f"- item {n}\n\n  more of {n}\n\n" for n in range(40)) + "end",
    "table": "| a | b |\n|---|---|\n" + "".join(f"| {n} | **{n}** |\n" for n in range(60)) + "\nafter",
    "tasks": "".join(f"- [{'x' if n % 2 else ' '}] task {n}\n" for n in range(80)),
    "doubt": "para\n1.5 million\n#hashtag\n\nx\n```inline``` code\n\ny\n| a | b |\n|---|---|x\n\nz\n-- no\n"
    "- yes\n- - -\n",
    "numbers": "1. a\n\n2. b\n\n3) c\n\n* d\n\n+ e\n\n2020 was\n",
    "math": "a\n$$\n- x\n= y\n$$\nb\n\\[\nx\n\\]\n\n$$ not\n\nmath $$\n\n$5 and $x$\n",
    "html": "a <b>b</b>\n\n<details>\n<summary>s</summary>\n\n- x\n- y\n\n</details>\n\n"
    "<div>\n\ntext\n\n</div>\n\n<!-- c -->\nend",
    "links": "see [a][one] and [two]\n\n[one]: https://one.org\n\ntext [two] [a][one]\n\n[two]: https://two.org 'T'\n",
    "setext": "Title\n===\nSub\n---\ntext\n***\nmore\n\n    code\n\n    code too\n\nend\n",
    "quote": "".join(f"> line {n}\n>\n" for n in range(60)) + "lazy\n\n> other",
    "paragraph": "word **bold** and `code` " * 100,
    "plain": "no\nmarkup\r\nat all\n\n\n\nbut lines   \n",
    "rtl": "مرحبا **بالعالم**\n\n- عنصر\n- آخر\n\n`code` نص",
}
