"""A README for the command that writes results into it."""

from recipes import readme


def rewritten(folder, monkeypatch, markers, **options):
    """The text of a README in `folder` that had something old between `markers`, afterwards."""
    monkeypatch.chdir(folder)
    page = folder / "README.md"
    begin, end = markers
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    readme.main(readme.ReadmeOptions(**options))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "\nold\n" not in text
    return text
