"""The report as text: PBIR, a file for each page and each visual."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashboard.pbip.pages import (
    BAR,
    CHOICE,
    HEADING,
    LINE,
    NUMBER,
    TABLE,
    WIDTH,
    Field,
    Page,
    Visual,
)

SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric/"
REPORT = "item/report/definition/"
BASE_THEME, THEME = "CY24SU10", "Tidemark.json"
SEEN = 720
"""A page of this height is seen as a whole; a higher one fills the width, and scrolls."""
Object = dict[str, Any]


def schema(path: str) -> dict[str, str]:
    return {"$schema": f"{SCHEMAS}{path}/schema.json"}


def written(content: Object) -> str:
    """A JSON file as Power BI writes it."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def report_files(pages: Sequence[Page], theme: str) -> Iterator[tuple[str, str]]:
    """The files of the report, with their contents."""
    yield (
        "definition/version.json",
        written(schema(f"{REPORT}versionMetadata/1.0.0") | {"version": "2.0.0"}),
    )
    yield "definition/report.json", written(_report())
    yield f"StaticResources/RegisteredResources/{THEME}", theme
    names = [page.name for page in pages]
    yield (
        "definition/pages/pages.json",
        written(
            schema(f"{REPORT}pagesMetadata/1.0.0")
            | {"pageOrder": names, "activePageName": names[0]}
        ),
    )
    for page in pages:
        folder = f"definition/pages/{page.name}"
        yield f"{folder}/page.json", written(_page(page))
        for order, visual in enumerate(page.visuals):
            yield f"{folder}/visuals/{visual.name}/visual.json", written(_visual(visual, order))


def _report() -> Object:
    versions = {"visual": "2.1.0", "page": "2.0.0", "report": "3.0.0"}
    themes = {
        "baseTheme": {"name": BASE_THEME, "type": "SharedResources"},
        "customTheme": {"name": THEME, "type": "RegisteredResources"},
    }
    return schema(f"{REPORT}report/3.0.0") | {
        "themeCollection": {
            kind: {**theme, "reportVersionAtImport": versions} for kind, theme in themes.items()
        },
        "resourcePackages": [
            {
                "name": "RegisteredResources",
                "type": "RegisteredResources",
                "items": [{"name": THEME, "path": THEME, "type": "CustomTheme"}],
            }
        ],
        "settings": {
            "useStylableVisualContainerHeader": True,
            "defaultDrillFilterOtherVisuals": True,
            "useEnhancedTooltips": True,
        },
    }


def _page(page: Page) -> Object:
    return schema(f"{REPORT}page/2.0.0") | {
        "name": page.name,
        "displayName": page.title,
        "displayOption": "FitToPage" if page.height <= SEEN else "FitToWidth",
        "height": max(page.height, SEEN),
        "width": WIDTH,
    }


def _visual(visual: Visual, order: int) -> Object:
    content: Object = {"visualType": visual.kind}
    if visual.fields:
        content["query"] = {
            "queryState": {
                role: {"projections": [_projection(field, visual.kind) for field in fields]}
                for role, fields in visual.fields.items()
            }
        }
    if visual.sort:
        direction = "Ascending" if visual.is_ascending else "Descending"
        content["query"]["sortDefinition"] = {
            "sort": [{"field": _field(visual.sort), "direction": direction}],
            "isDefaultSort": False,
        }
    content |= {"objects": objects} if (objects := _objects(visual)) else {}
    content["visualContainerObjects"] = _container(visual)
    content["drillFilterOtherVisuals"] = True
    return schema(f"{REPORT}visualContainer/2.1.0") | {
        "name": visual.name,
        "position": {
            "x": visual.x,
            "y": visual.y,
            "z": order * 1000,
            "width": visual.width,
            "height": visual.height,
            "tabOrder": order * 1000,
        },
        "visual": content,
    }


def _objects(visual: Visual) -> Object:
    """What a visual shows beside its data."""
    if visual.kind == HEADING:
        runs = [
            (visual.title, {"fontWeight": "bold", "fontSize": "20pt"}),
            (visual.description, {"fontSize": "10pt"}),
        ]
        paragraphs = [{"textRuns": [{"value": text, "textStyle": style}]} for text, style in runs]
        return {"general": [{"properties": {"paragraphs": paragraphs}}]}
    if visual.kind == CHOICE:
        return {"data": [_properties({"mode": literal("Dropdown")})]}
    if visual.kind in (LINE, BAR):
        is_several = len(visual.fields["Y"]) > 1
        shown: Object = {"legend": [_properties({"show": literal(is_several)})]}
        if visual.kind == BAR:
            # a number, such as an id, would be a place on the axis
            shown["categoryAxis"] = [_properties({"axisType": literal("Categorical")})]
        return shown
    return {}


def _container(visual: Visual) -> Object:
    """The title of a visual, and its text for those who cannot see it."""
    has_title = visual.kind in (LINE, BAR, TABLE)
    title = {"show": literal(has_title)}
    if has_title:
        title["text"] = literal(visual.title)
    told = f"{visual.title}. {visual.description}".strip()
    return {
        "title": [_properties(title)],
        "general": [_properties({"altText": literal(told)})],
    }


def _properties(properties: Mapping[str, Object]) -> Object:
    return {"properties": dict(properties)}


def literal(value: str | bool) -> Object:
    """A value as PBIR writes it."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    else:
        doubled = value.replace("'", "''")
        text = f"'{doubled}'"
    return {"expr": {"Literal": {"Value": text}}}


def _projection(field: Field, kind: str) -> Object:
    made = {
        "field": _field(field),
        "queryRef": f"{field.table}.{field.name}",
        "nativeQueryRef": field.name,
    }
    return made if field.is_measure or kind in (NUMBER, TABLE) else made | {"active": True}


def _field(field: Field) -> Object:
    source = {"Expression": {"SourceRef": {"Entity": field.table}}, "Property": field.name}
    return {"Measure" if field.is_measure else "Column": source}
