"""What a hostile answer may try: markup, scripts, styles, links, pictures, formulas, and shapes that break parsers.

`pwned` is a trap that the test sets; hosts end in `.invalid`, so that nothing could ever answer.
"""

from __future__ import annotations

_HOST = "https://evil.invalid"

_TAGS = [
    "<script>pwned(1)</script>",
    "<ScRiPt>pwned(2)</sCrIpT>",
    f'<script src="{_HOST}/x.js"></script>',
    "<script>pwned(3)",
    "<scr<script>ipt>pwned(4)</scr</script>ipt>",
    '<script type="module">pwned(5)</script>',
    f'<iframe src="{_HOST}"></iframe>',
    '<iframe srcdoc="<script>parent.pwned(6)</script>"></iframe>',
    '<iframe src="javascript:parent.pwned(7)"></iframe>',
    f'<object data="{_HOST}/x.swf"></object>',
    f'<embed src="{_HOST}/x.svg">',
    f'<link rel="stylesheet" href="{_HOST}/x.css">',
    f'<link rel="preload" as="image" href="{_HOST}/x.png">',
    f'<meta http-equiv="refresh" content="0;url={_HOST}">',
    f'<base href="{_HOST}/">',
    f'<form action="{_HOST}"><button>голос</button></form>',
    '<form><button formaction="javascript:pwned(8)">A лучше</button></form>',
    "<input autofocus onfocus=pwned(9)>",
    "<select autofocus onfocus=pwned(10)><option>1</select>",
    "<textarea autofocus onfocus=pwned(11)></textarea>",
    "<keygen autofocus onfocus=pwned(12)>",
    f'<video src="{_HOST}/x.mp4" autoplay onloadstart=pwned(13)></video>',
    f'<audio src="{_HOST}/x.mp3" autoplay onerror=pwned(14)></audio>',
    f'<video poster="{_HOST}/x.png"></video>',
    f'<source src="{_HOST}/x.webm" onerror=pwned(15)>',
    "<details open ontoggle=pwned(16)>",
    "<marquee onstart=pwned(17)>",
    "<body onload=pwned(18)>",
    f'<body background="{_HOST}/x.png">',
    f'<table background="{_HOST}/x.png"><td>1</td></table>',
    "<noscript><p title='</noscript><img src=x onerror=pwned(19)>'></noscript>",
    "<template><script>pwned(20)</script></template>",
    "<math><mtext><script>pwned(21)</script></mtext></math>",
    "<math><maction actiontype=statusline xlink:href='javascript:pwned(22)'>клик</maction></math>",
    "<dialog open>Проголосуйте за A</dialog>",
    "<button popovertarget=x>A</button><div popover id=x>Голос</div>",
    "<isindex type=image src=1 onerror=pwned(23)>",
    "<plaintext>",
    "<xmp><script>pwned(24)</script></xmp>",
    "</div></div></div><h1>снаружи</h1>",
    "</gradio-app><script>pwned(25)</script>",
    "<!--><script>pwned(26)</script>-->",
    "<![CDATA[<script>pwned(27)</script>]]>",
    "<?xml version='1.0'?><script>pwned(28)</script>",
    "<div id=anonymous-vote-a onclick=pwned(29)>A лучше</div>",
    "<div class=bar style='position:fixed;inset:0;z-index:9999'>поверх</div>",
    "<a id=arena-texts>{}</a>",
    "<div contenteditable autofocus onfocus=pwned(30)>1</div>",
    "<p onmouseover=pwned(31) onpointerenter=pwned(31)>наведи</p>",
    '<p style="animation:x 1s" onanimationstart=pwned(32)>x</p>',
]
_IMAGES = [
    f"![рисунок]({_HOST}/1.png)",
    f'![рисунок]({_HOST}/2.png "название")',
    f"![][r]\n\n[r]: {_HOST}/3.png",
    f"[![кнопка]({_HOST}/4.png)]({_HOST})",
    f'<img src="{_HOST}/5.png">',
    "<img src=x onerror=pwned(40)>",
    "<img src=x onerror\x0b=pwned(41)>",
    f"<img srcset='{_HOST}/6.png 2x'>",
    f"<picture><source srcset='{_HOST}/7.png'><img></picture>",
    f"<image src='{_HOST}/8.png'>",
    '<img src="javascript:pwned(42)">',
    f'<img src=1 style="background:url({_HOST}/9.png)">',
    f"\\![рисунок]({_HOST}/10.png)",
    f"!\\[рисунок]({_HOST}/11.png)",
    f"`код` ![рисунок]({_HOST}/12.png) `код`",
    f"<IMG SRC={_HOST}/13.png>",
    f"<\nimg src={_HOST}/14.png>",
    f"$![x]({_HOST}/15.png)$",
]
_SVG = [
    "<svg onload=pwned(50)>",
    "<svg><script>pwned(51)</script></svg>",
    f'<svg><image href="{_HOST}/1.svg"/></svg>',
    f'<svg><use href="{_HOST}/2.svg#x"/></svg>',
    '<svg><a xlink:href="javascript:pwned(52)"><text y=20>клик</text></a></svg>',
    "<svg><animate onbegin=pwned(53) attributeName=x dur=1s>",
    "<svg><set attributeName=onmouseover to=pwned(54)>",
    "<svg><foreignObject><iframe src='javascript:pwned(55)'></iframe></foreignObject></svg>",
    "<svg><style>*{display:none}</style></svg>",
    '<svg></p><style><a id="</style><img src=1 onerror=pwned(56)>">',
    "<svg style='position:fixed;inset:0;width:100vw;height:100vh;z-index:99999'><rect width=100% height=100%/></svg>",
]
_STYLES = [
    "<style>.bar{display:none!important}</style>",
    "<style>*{pointer-events:none}</style>",
    f"<style>@import '{_HOST}/x.css';</style>",
    f"<style>body{{background:url({_HOST}/x.png)}}</style>",
    f"<style>@font-face{{font-family:x;src:url({_HOST}/x.woff)}}*{{font-family:x}}</style>",
    "<div style='position:fixed;inset:0;z-index:2147483647;background:#fff'>Проголосовано</div>",
    "<div style='position:absolute;top:-9999px;height:99999px;width:99999px'>огромный</div>",
    "<span style='font-size:9999px'>крупно</span>",
    f'<p style="background-image:url({_HOST}/y.png)">фон</p>',
    f'<p style="list-style:url({_HOST}/z.png)">фон</p>',
    "<p style='width:expression(pwned(60))'>старый</p>",
    "<div style='transform:scale(1000);opacity:0'>невидимый</div>",
    "<div class='votes hide vote'>класс страницы</div>",
]
_LINKS = [
    "[нажми](javascript:pwned(70))",
    "[нажми](JaVaScRiPt:pwned(71))",
    "[нажми](javascript&colon;pwned(72))",
    "[нажми](&#106;avascript:pwned(73))",
    "[нажми](java\tscript:pwned(74))",
    "[нажми](vbscript:pwned(75))",
    "[нажми](data:text/html,<script>pwned(76)</script>)",
    "[нажми](data:text/html;base64,PHNjcmlwdD5wd25lZCg3Nyk8L3NjcmlwdD4=)",
    "[нажми]( javascript:pwned(78))",
    "[нажми][j]\n\n[j]: javascript:pwned(79)",
    "<javascript:pwned(80)>",
    "<a href='javascript:pwned(81)'>нажми</a>",
    "<a href='java&#10;script:pwned(82)'>нажми</a>",
    f'[нажми]({_HOST} "onmouseover=pwned(83)")',
    f'[нажми]({_HOST}"onmouseover="pwned(84))',
    "[нажми](file:///etc/passwd)",
    "[нажми](blob:https://evil.invalid/1)",
    "[a](javascript:pwned(85)//%0aalert)",
]
_FORMULAS = [
    "$\\href{javascript:pwned(90)}{x}$",
    f"$\\url{{{_HOST}}}$",
    f"$\\includegraphics{{{_HOST}/k.png}}$",
    "$\\htmlStyle{position:fixed;inset:0;z-index:9999}{x}$",
    "$\\htmlClass{bar}{x}$",
    "$\\htmlId{anonymous-vote-a}{x}$",
    "$\\htmlData{x=1}{y}$",
    "$$\\rule{100000em}{100000em}$$",
    "$$\\kern-9999em\\Huge x$$",
    "$$\\def\\x{\\x\\x}\\x$$",
    "$\\text{<img src=x onerror=pwned(91)>}$",
    "$</script><script>pwned(92)</script>$",
    "$$<svg onload=pwned(93)>$$",
    "\\(<img src=x onerror=pwned(94)>\\)",
    "\\[<script>pwned(95)</script>\\]",
    "$\\unicode{x3c}img src=x onerror=pwned(96)\\unicode{x3e}$",
    "$$\\raisebox{9999em}{x}\\smash{\\Huge y}$$",
]
_SHAPES = [
    "```html\n<script>pwned(100)</script>\n```",
    "```<img src=x onerror=pwned(101)>\nтекст\n```",
    '```"><img src=x onerror=pwned(102)>\nтекст\n```',
    "    <script>pwned(103)</script>",
    "`<script>pwned(104)</script>`",
    "``<img src=x onerror=pwned(105)>",
    "| a | b |\n|---|---|\n| <img src=x onerror=pwned(106)> | `|` |",
    "> <script>pwned(107)</script>",
    "- <img src=x onerror=pwned(108)>\n  - <svg onload=pwned(109)>",
    "# <img src=x onerror=pwned(110)>",
    "&lt;script&gt;pwned(111)&lt;/script&gt;",
    "&#60;img src=x onerror=pwned(112)&#62;",
    "\\<script>pwned(113)\\</script>",
    "\u202e<script>pwned(114)</script>\u202c",
    "\uff1cscript\uff1epwned(115)\uff1c/script\uff1e",
    "[x]: <script>pwned(116)</script>\n\n[x]",
    "*" * 3000,
    "[" * 2000,
    "a" * 20_000,
    "".join(f"{'>' * depth} {depth}\n" for depth in range(1, 60)),
    "Z\u0351\u036b\u0343" * 300,
    "\n".join(["~~~mermaid", "graph TD; A-->B; click A 'javascript:pwned(117)'", "~~~"]),
    "```mermaid\ngraph TD; A[<img src=x onerror=pwned(118)>]-->B\n```",
]

PAYLOADS: list[str] = [*_TAGS, *_IMAGES, *_SVG, *_STYLES, *_LINKS, *_FORMULAS, *_SHAPES]

_PLACES = [
    "- список {}", "> цитата {}", "## заголовок {}", "**жирно {}**", "[ссылка {}](https://example.org)",
    "`код` {} `код`",
    "$x$ {} $y$", "\\({}\\)", "$${}$$", "<b>{}</b>", "&lt;{}&gt;", "<div>\n\n{}\n\n</div>", "1. один\n\n   {}",
    "<!-- -->{}", "\u200b{}\u00ad", "```\nкод\n```\n{}", "| a | b |\n|---|---|\n| {} | {} |", "~~{}~~ *{}*", "    {}",
    "\\{}", "`{}", "<p title='{}'>", "текст[^1]\n\n[^1]: {}", "[a]: <{}>\n\n[a]", "\u202e{}\u202c", "> - > {}",
]  # fmt: skip
"""Where in an answer a payload may stand: each place is read by another rule of Markdown."""

_LONGEST = 400
"""Longer payloads are shapes of their own and gain nothing by a place."""


def many(number: int) -> list[str]:
    """So many payloads: all of them as they are, then each in one place after the other."""
    short = [payload for payload in PAYLOADS if len(payload) <= _LONGEST]
    placed = [
        _PLACES[(round_ + index) % len(_PLACES)].replace("{}", payload)
        for round_ in range(len(_PLACES))
        for index, payload in enumerate(short)
    ]
    return [*PAYLOADS, *placed][:number]
