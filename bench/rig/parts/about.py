"""On what it was measured."""

from rig.view import Part


def machine(view):
    m = view.outcome["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    text = (
        f"{m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, Linux {m['kernel']}."
        f" Beside it: {versions or 'nothing'}."
        f" Load of the machine when it began: {m['load']}.\n"
    )
    return Part("machine", text)


PARTS = [machine]
