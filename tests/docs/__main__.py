"""`python -m tests.docs`: what the documentation has, a page a line, and how commands are held."""

from .test_commands import FENCE, PAGES, ROOT


def main():
    """One line a page: words, pictures, and lines of commands by what the tests do with them."""
    print(f"{'page':28}{'words':>8}{'pictures':>10}{'run':>8}{'slow':>8}{'spelling':>10}")
    totals = [0] * 5
    for page in PAGES:
        text = page.read_text()
        lines = {kind: sum(body.count("\n") for language, body in FENCE.findall(text)
                           if language in kinds)
                 for kind, kinds in (("run", ("sh", "python", "pycon")), ("slow", ("sh slow",)),
                                     ("spelling", ("usage",)))}  # fmt: skip
        row = [len(text.split()), text.count("!["), *lines.values()]
        totals = [a + b for a, b in zip(totals, row, strict=True)]
        print(f"{page.relative_to(ROOT)!s:28}", *(f"{n:{w}}" for n, w in zip(
            row, (7, 9, 7, 7, 9), strict=True)))  # fmt: skip
    print(f"{'all ' + str(len(PAGES)) + ' pages':28}", *(f"{n:{w}}" for n, w in zip(
        totals, (7, 9, 7, 7, 9), strict=True)))  # fmt: skip


if __name__ == "__main__":
    main()
