"""README.zh-CN.md says what README.md says, as far as that can be seen without knowing Chinese."""

import re
from dataclasses import dataclass, field

import pytest

from harness.env import ROOT

EACH_OTHER = {"README.md", "README.zh-CN.md"}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
INDENTED = re.compile(r"^ {4}.*$", re.M)
COMMENT = re.compile(r"\s+#\s.*$")
LINK = re.compile(r"\[[^]]*\]\(([^)]*)\)")
CODE = re.compile(r"`([^`]+)`")


@dataclass
class Section:
    level: int
    blocks: list = field(default_factory=list)  # what can be run or copied; words in it may differ
    links: list = field(default_factory=list)
    code: set = field(default_factory=set)  # the order is that of each language
    rows: int = 0  # of tables
    points: int = 0  # of lists


def section(level, text):
    blocks = [(name, body if name else "a picture") for name, body in FENCED.findall(text)]
    text = FENCED.sub("", text)
    blocks += [COMMENT.sub("", line) for line in INDENTED.findall(text)]
    text = INDENTED.sub("", text)
    return Section(
        level,
        blocks,
        [target for target in LINK.findall(text) if target not in EACH_OTHER],
        set(CODE.findall(text.replace("\n", " "))),
        len(re.findall(r"^\|", text, re.M)),
        len(re.findall(r"^\* ", text, re.M)),
    )


def sections(name):
    parts = re.split(r"^(#+) .*$", (ROOT / name).read_text(), flags=re.M)
    return [section(len(marks), body) for marks, body in zip(parts[1::2], parts[2::2])]


ENGLISH, CHINESE = (sections(name) for name in ("README.md", "README.zh-CN.md"))


def test_they_have_the_same_headings():
    assert [s.level for s in ENGLISH] == [s.level for s in CHINESE]


@pytest.mark.parametrize("number", range(len(ENGLISH)))
def test_each_section_has_the_same_in_it(number):
    assert CHINESE[number] == ENGLISH[number]


@pytest.mark.parametrize("name", sorted(EACH_OTHER))
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text()
    assert (EACH_OTHER - {name}) <= set(LINK.findall(text))
    for target in LINK.findall(text):
        assert (ROOT / target.partition("#")[0]).exists(), target
