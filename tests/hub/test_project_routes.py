"""What the projects of agents decide is told with the file that says so, and what of it is refused."""

from __future__ import annotations

from tests.live_hub import LiveHub


async def test_each_agents_project_is_told(hub: LiveHub) -> None:
    plain, project = hub.home / "plain", hub.home / "project"
    for folder in (plain, project):
        (folder / ".git").mkdir(parents=True)
    (project / "clawmux.toml").write_text('[speech]\nspeed = 1.5\n[agents]\nruntime = "shell"\n')
    await hub.spawn(dir=str(plain))
    inside = await hub.spawn(dir=str(project))
    (told,) = await hub.call("GET", "/api/projects")
    assert (told["session_id"], told["file"], told["values"]) == (inside, str(project / "clawmux.toml"), {"speech.speed": 1.5})
    assert len(told["notes"]) == 1 and "agents.runtime" in told["notes"][0]


async def test_a_new_agent_gets_the_preferred_voice_while_nobody_has_it(hub: LiveHub) -> None:
    await hub.call("PUT", "/api/settings", {"agents.voice": "bm_fable"})
    assert [await hub.spawn(), await hub.spawn()] == ["bm_fable", "af_sky"]
    assert [session["voice"] for session in await hub.call("GET", "/api/sessions")] == ["bm_fable", "af_sky"]
