"""A campaign whose every text wants to run, to ask for something, or to break out of
where it stands."""

RUN = "window.__ran=1;console.log('canary');alert('canary')"


def payloads(beacon):
    """Markup, links and style that run or ask for something where they are believed."""
    return [
        f"<script>{RUN}</script>",
        f"<ScRiPt src='{beacon}/script'></sCrIpT>",
        f"<img src=x onerror=\"{RUN}\"><img src='{beacon}/img' srcset='{beacon}/srcset 2x'>",
        f"<svg onload=\"{RUN}\"><script>{RUN}</script><image href='{beacon}/svg'/></svg>",
        f"<body onload=\"{RUN}\"><details open ontoggle=\"{RUN}\"><input autofocus onfocus=\"{RUN}\">",
        f"<iframe src='javascript:{RUN}'></iframe><iframe srcdoc='<script>{RUN}</script>'></iframe>",
        f"<iframe src='{beacon}/frame'></iframe><object data='{beacon}/object'></object>",
        f"<meta http-equiv=refresh content='0;url={beacon}/refresh'><base href='{beacon}/base'>",
        f"<link rel=stylesheet href='{beacon}/css'><link rel=prefetch href='{beacon}/prefetch'>",
        f"</style><script>{RUN}</script><style>*{{background:url({beacon}/style)}}",
        f"</title></textarea></template></noscript><script>{RUN}</script>",
        f"<!--><script>{RUN}</script>--><![CDATA[<script>{RUN}</script>]]>",
        f"<style>@import '{beacon}/import';@font-face{{font-family:x;src:url({beacon}/font)}}</style>",
        f"<video poster='{beacon}/poster' src='{beacon}/video'></video><audio src='{beacon}/audio'>",
        f"<form action='{beacon}/form' id=f></form><button form=f>go</button><a ping='{beacon}/ping' href='#'>x</a>",
        f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}></style></mglyph></table></math>",
        f"[a](javascript:{RUN}) [b](JaVaScRiPt:{RUN}) [c](java\tscript:{RUN}) [d](\x01javascript:{RUN})",
        f"[e](data:text/html,<script>{RUN}</script>) [f](vbscript:x) [g](file:///etc/passwd)",
        f"<javascript:{RUN}> [h](&#106;avascript&colon;{RUN}) [i]: javascript:{RUN}\n\n[i]",
        f"![pixel]({beacon}/markdown-image) ![x](javascript:{RUN} \"\\\" onerror=\\\"{RUN}\")",
        f"[title](http://example.com \"\\\" onmouseover=\\\"{RUN}\")",
        "{{title}} {{{content}}} {{> page}} {{#sections}}{{/sections}} {{=<% %>=}} <%title%> {{!gone}}",
        "${7*7} {%raw%} #{7*7} <?php echo 1 ?> <%= 7*7 %>",
        "\u202eevil\u202c \u2066x\u2069 \u200f\u202dleft",
        ") Tj ET Q endstream endobj 1 0 obj << /Type /Catalog /OpenAction << /S /JavaScript "
        f"/JS (app.alert\\(1\\)) >> >> ( \\( \\\\ <</S/URI/URI({beacon}/pdf)>>",
        "%PDF-1.7 (((( )))) \\ \\) \\\\) << >> [ ] stream\r\nendstream xref trailer",
        "`<script>" + RUN + "</script>`\n\n```html\n<script>" + RUN + "</script>\n",
    ]


def hostile(beacon):
    lines = payloads(beacon)
    text = "\n\n".join(lines)
    scheme = (f"red;}}body{{background:url({beacon}/scheme)}}</style><script>{RUN}</script> "
              f"#123456;background:url({beacon}/hex) expression(alert(1)) \";--x:url('{beacon}/q')")
    brief = {
        "campaign_name": f"Name \"'><script>{RUN}</script>{{{{title}}}}", "client": lines[3],
        "product": lines[9], "client_website": f"javascript:{RUN}",
        "client_logo": f"{beacon}/logo.png", "color_scheme": scheme, "target_audience": lines[21],
        "goals": lines, "key_features": lines, "budget": lines[2], "timeline": lines[24],
    }
    state = {
        "artifacts": {
            "strategy": "# " + lines[0] + "\n\n" + text, "audience_personas": "### " + text,
            "copy": text, "campaign_summary": text, "cta_optimization": text,
            "media_plan": "| Channel | Budget | Start | End |\n|---|---|---|---|\n" + "".join(
                f"| {line.replace('|', '').splitlines()[0]} | ${number + 1}00 | 2025-01-01 | 2025-02-01 |\n"
                for number, line in enumerate(lines)),
            "visual": {"image_url": f"javascript:{RUN}", "image_alt": lines[2],
                       "image_prompt": text, lines[1]: lines[0]},
            "designer": {line: line for line in lines}, lines[0]: text,
        },
        "messages": [{"role": line, "name": line, "content": line} for line in lines],
        "feedback": lines, "previous_artifacts": {line: line for line in lines},
        lines[8]: lines,
    }
    return brief, state
