"""On what it was measured, and when."""

from rig import stamps
from rig.view import Part


def _text(machine):
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB,"
        f" Linux {machine['kernel']}. Beside it: {versions or 'nothing'}.\n"
    )


def machine(view):
    """Newest first: each machine with what was measured on it."""
    machines = {}
    for _, session in sorted(view.sessions.items(), reverse=True):
        load = f"load of the machine when it began: {session['machine']['load']}"
        made = f"* {stamps.stamp(session)}; {load}\n"
        machines.setdefault(_text(session["machine"]), []).append(made)
    text = "\n".join(about + "\n" + "".join(made) for about, made in machines.items())
    return Part("machine", text) if text else None


PARTS = [machine]
