"""ComfyUI's graphs: `prompt`, what was run, and `workflow`, what the person saw.

PNG texts of those names, or EXIF texts that begin with them (ComfyUI's nodes that save WebP use
Make and Model). https://docs.comfy.org/specs/workflow_json describes the workflow; a prompt is
{node: {"class_type", "inputs"}}, in whose inputs [node, slot] is a link.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

from tellsign.provenance import exif
from tellsign.provenance.evidence import MAX_TEXT, Evidence, shown
from tellsign.provenance.parameters.sources import Sources, found, parsed

TOOL = "ComfyUI"
MAX_NODES = 2000
MAX_STEPS = 200
MODELS = ("ckpt_name", "unet_name", "model_name", "base_ckpt_name", "model_path")
TEXTS = ("text", "text_g", "text_l", "t5xxl", "clip_l", "prompt", "positive", "string", "value")
SEEDS = ("seed", "noise_seed")
WEIGHTS = (".safetensors", ".ckpt", ".gguf", ".sft", ".pth")
TAGS = (exif.MAKE, exif.MODEL, exif.DESCRIPTION)

Node = dict[str, Any]
Graph = dict[str, Node]


def read(sources: Sources) -> list[Evidence]:
    for where, text in _texts(sources, "prompt"):
        graph = _graph(parsed(text))
        if graph:
            return [_from_prompt(graph, where)]
    for where, text in _texts(sources, "workflow"):
        nodes = _nodes(parsed(text))
        if nodes:
            return [_from_workflow(nodes, where)]
    return []


def _texts(sources: Sources, name: str) -> Iterator[tuple[str, str]]:
    if name in sources.texts:
        yield sources.texts[name].where, sources.text(name)
    for tag in TAGS:
        key, colon, text = sources.exif.text(tag).partition(":")
        if colon and key.lower() == name:
            yield f"EXIF tag {tag:#06x}", text


def _graph(content: dict[str, Any]) -> Graph:
    """The nodes of a prompt; empty if it is none."""
    nodes = {
        key: node
        for key, node in list(content.items())[:MAX_NODES]
        if isinstance(node, dict)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs"), dict)
    }
    return nodes if 2 * len(nodes) > len(content) else {}


def _from_prompt(graph: Graph, where: str) -> Evidence:
    inputs = [node["inputs"] for node in graph.values()]
    sampler = _with(inputs, "positive", SEEDS) or _with(inputs, "", SEEDS)
    guide, size = _with(inputs, "conditioning"), _with(inputs, "width", ("height",))
    prompt = _follow(graph, sampler.get("positive") or guide.get("conditioning"))
    return found(
        TOOL,
        where,
        prompt=prompt or _all_texts(inputs),
        negative=_follow(graph, sampler.get("negative")),
        model=next((i[key] for i in inputs for key in MODELS if isinstance(i.get(key), str)), ""),
        sampler=_value(graph, inputs, "sampler_name"),
        scheduler=_value(graph, inputs, "scheduler"),
        seed=_linked(graph, _any(sampler, SEEDS)),
        steps=_value(graph, inputs, "steps"),
        cfg_scale=_value(graph, inputs, "cfg") or _value(graph, inputs, "guidance"),
        size="x".join(filter(None, (shown(size.get("width")), shown(size.get("height"))))),
        settings={"nodes": len(graph), "LoRA": _names(inputs, "lora_name")},
    )


def _with(inputs: list[Node], name: str, others: tuple[str, ...] = ()) -> Node:
    """The first node's inputs that have a name, if one is given, and one of the others."""
    for node in inputs:
        if (not name or name in node) and (not others or any(other in node for other in others)):
            return node
    return {}


def _any(inputs: Node, names: tuple[str, ...]) -> Any:
    return next((inputs[name] for name in names if name in inputs), None)


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int)


def _linked(graph: Graph, value: Any) -> Any:
    """A value, or that of the node it is linked to."""
    if not _is_link(value):
        return value
    inputs = graph.get(str(value[0]), {"inputs": {}})["inputs"]
    plain = [v for v in inputs.values() if not isinstance(v, list | dict)]
    return _any(inputs, (*SEEDS, "value", "int")) or next(iter(plain), "")


def _value(graph: Graph, inputs: list[Node], name: str) -> Any:
    return next((_linked(graph, i[name]) for i in inputs if name in i), "")


def _follow(graph: Graph, start: Any) -> str:
    """The texts that a link leads to, the nearest first."""
    texts: list[str] = []
    links, seen = deque([start]), set[str]()
    while links and len(seen) < MAX_STEPS:
        link = links.popleft()
        key = str(link[0]) if _is_link(link) else ""
        if key not in graph or key in seen:
            continue
        seen.add(key)
        inputs = graph[key]["inputs"]
        texts += [inputs[name] for name in TEXTS if isinstance(inputs.get(name), str)]
        links.extend(value for value in inputs.values() if _is_link(value))
    return "\n".join(dict.fromkeys(filter(None, texts)))[: 2 * MAX_TEXT]


def _all_texts(inputs: list[Node]) -> str:
    texts = [i["text"] for i in inputs if isinstance(i.get("text"), str)]
    return "\n".join(texts)[: 2 * MAX_TEXT]


def _names(inputs: list[Node], key: str) -> str:
    return ", ".join(i[key] for i in inputs[:MAX_STEPS] if isinstance(i.get(key), str))


def _nodes(content: dict[str, Any]) -> list[Node]:
    """The nodes of a workflow; empty if it is none."""
    nodes = content.get("nodes")
    if not isinstance(nodes, list):
        return []
    return [n for n in nodes[:MAX_NODES] if isinstance(n, dict) and isinstance(n.get("type"), str)]


def _from_workflow(nodes: list[Node], where: str) -> Evidence:
    """A workflow names no inputs: its nodes' widgets are in the order in which they are shown."""
    widgets = [(n["type"], w) for n in nodes if isinstance(w := n.get("widgets_values"), list)]
    texts = [w[0] for kind, w in widgets if "TextEncode" in kind and w and isinstance(w[0], str)]
    values = [value for _, w in widgets for value in w[:50] if isinstance(value, str)]
    model = next((value for value in values if value.lower().endswith(WEIGHTS)), "")
    main = {}
    for kind, w in widgets:
        if kind == "KSampler" and len(w) >= 6:  # seed, what happens to it, steps, cfg, names
            main = {"seed": w[0], "steps": w[2], "cfg_scale": w[3]}
            main |= {"sampler": w[4], "scheduler": w[5]}
            break
    prompt = "\n".join(texts)[: 2 * MAX_TEXT]
    return found(TOOL, where, prompt=prompt, model=model, settings={"nodes": len(nodes)}, **main)
