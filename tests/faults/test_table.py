"""Which test shows what becomes of each fault. The table is held to the tests: each one that it names is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent

FAULTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "F1": (
        "kill -9 of the hub while somebody talks",
        (
            "faults/test_kills.py::test_ten_kills_each_end_with_one_answer",
            "faults/test_kills.py::test_kills_in_quick_succession_are_survived_too",
            "hub/test_converse.py::test_a_restart_of_the_hub_asks_once_and_answers_once",
        ),
    ),
    "F2": (
        "kill -9 between paste and Enter",
        (
            "tmux/test_injection.py::test_our_own_half_typed_message_is_finished",
            "tmux/test_injection.py::test_our_own_half_typed_message_is_cleared_when_another_batch_is_due",
            "faults/test_hub_faults.py::test_a_half_typed_message_that_is_settled_meanwhile_is_taken_back",
            "faults/test_lossy_tui.py::test_the_same_while_the_hub_is_killed",
            "faults/test_message_kills.py::test_four_agents_talk_while_the_hub_is_killed",
            "runtimes/test_claude_typing.py::test_a_half_typed_message_is_finished",
        ),
    ),
    "F3": (
        "kill -9 between Enter and commit",
        (
            "tmux/test_injection.py::test_what_stands_on_the_screen_as_sent_is_not_typed_again",
            "hub/test_messages_restart.py::test_one_that_was_sent_when_the_hub_was_killed_is_not_typed_again",
            "hub/test_messages.py::test_only_the_recipient_acknowledges_and_twice_is_once",
            "faults/test_hub_faults.py::test_an_answer_to_what_was_acknowledged_before_a_kill_is_printed_and_not_typed_as_well",
            "faults/test_hub_faults.py::test_an_answer_between_two_kills_is_printed_and_not_typed_as_well",
            "faults/test_message_kills.py::test_four_agents_talk_while_the_hub_is_killed",
        ),
    ),
    "F4": (
        "SIGTERM of the hub with waiters",
        (
            "faults/test_hub_faults.py::test_a_stopped_hub_lets_three_kinds_of_waiters_go_and_they_come_back",
            "hub/test_life.py::test_the_hub_ends_within_two_seconds_also_while_somebody_waits",
        ),
    ),
    "F5": (
        "SIGSTOP of the hub for a minute",
        (
            "faults/test_hub_faults.py::test_a_hub_that_stood_still_for_a_minute_fails_nothing",
            "hub/test_messages_restart.py::test_a_hub_that_stood_still_fails_nothing",
            "core/test_broker_restarts.py::test_an_hour_without_a_hub_fails_nothing",
            "browser/test_page_link.py::test_a_hub_that_answers_nothing_is_left",
        ),
    ),
    "F6": (
        "power cut",
        (
            "faults/test_power_cut.py::test_a_power_cut_loses_no_id_that_was_printed",
            "faults/test_power_cut.py::test_this_disk_loses_what_is_not_synced",
        ),
    ),
    "F7": (
        "disk full",
        (
            "faults/test_hub_faults.py::test_on_a_full_disk_a_message_is_refused_whole_and_the_next_one_goes_without_a_restart",
            "hub/test_messages_restart.py::test_what_a_full_disk_refuses_was_not_sent_and_the_next_goes_through",
            "hub/test_messages_restart.py::test_an_acknowledgment_on_a_full_disk_is_refused_and_kept_when_there_is_room",
            "hub/test_messages_restart.py::test_nothing_is_typed_that_could_not_be_stored_and_all_of_it_later",
            "adapters/test_store.py::test_a_disk_that_is_full_for_a_while_is_used_again_without_a_restart",
        ),
    ),
    "F8": (
        "database zeroed, garbled or cut",
        (
            "faults/test_hub_faults.py::test_a_broken_store_is_put_aside_and_messages_go_on",
            "adapters/test_store.py::test_a_broken_file_is_put_aside_whole_and_the_hub_goes_on",
            "adapters/test_store.py::test_what_was_put_aside_is_never_overwritten",
        ),
    ),
    "F9": (
        "settings invalid, or a newer schema",
        (
            "facts/test_settings.py::test_a_broken_file_is_named_with_the_place_in_it",
            "facts/test_settings.py::test_a_broken_file_is_not_saved_into",
            "adapters/test_store.py::test_a_newer_schema_is_refused_and_left_as_it_is",
        ),
    ),
    "F10": (
        "port in use",
        (
            "hub/test_life.py::test_a_busy_port_is_named_and_nothing_is_left_behind",
            "hub/test_life.py::test_a_second_start_says_where_the_first_is",
        ),
    ),
    "F11": ("two hubs at once", ("faults/test_hub_faults.py::test_of_two_hubs_started_at_once_one_serves",)),
    "F12": (
        "what kill -9 leaves behind",
        (
            "hub/test_life.py::test_what_kill_9_leaves_behind_does_not_matter",
            "security/test_doors.py::test_stale_socket_is_replaced_and_a_live_one_is_not",
        ),
    ),
    "F13": (
        "tmux server killed",
        (
            "hub/test_life.py::test_a_lost_tmux_server_ends_its_sessions_soon",
            "hub/test_states.py::test_an_end_is_known_within_two_seconds_and_senders_are_told",
        ),
    ),
    "F14": (
        "pane closed, program ended",
        (
            "hub/test_states.py::test_an_end_is_known_within_two_seconds_and_senders_are_told",
            "hub/test_messages.py::test_the_end_of_the_recipient_is_told_to_who_waits_and_once_to_who_does_not",
            "tmux/test_tmux.py::test_a_dead_agent_keeps_its_status_and_last_words",
        ),
    ),
    "F15": (
        "the user scrolls in the pane",
        (
            "tmux/test_injection.py::test_a_message_waits_while_somebody_scrolls_and_goes_in_afterwards",
            "core/test_broker_batches.py::test_the_clock_stands_while_the_recipient_does_not_read",
        ),
    ),
    "F16": (
        "the user types in the pane",
        (
            "tmux/test_injection.py::test_nothing_is_typed_between_somebodys_keys",
            "tmux/test_injection.py::test_a_draft_is_kept_byte_for_byte",
        ),
    ),
    "F17": (
        "an agent prints without end",
        (
            "faults/test_hub_faults.py::test_a_flood_on_a_screen_costs_the_hub_no_memory_and_messages_no_time",
            "tmux/test_tmux.py::test_a_flooding_agent_does_not_slow_the_commands",
        ),
    ),
    "F18": (
        "the page vanishes while it records or plays",
        (
            "browser/test_real_breaks.py::test_a_tab_closed_in_mid_sentence",
            "browser/test_real_breaks.py::test_a_reload_in_mid_sentence",
            "hub/test_listener.py::test_a_page_whose_connection_broke_may_stay_away_longer",
            "hub/test_speaker.py::test_a_page_that_stops_playing_in_the_middle_is_not_waited_for",
        ),
    ),
    "F22": (
        "clock jumps, machine sleeps",
        (
            "faults/test_hub_faults.py::test_a_clock_that_jumps_fails_no_message_and_keeps_their_order",
            "faults/test_hub_faults.py::test_what_is_said_after_the_clock_was_set_back_is_still_between_the_same_two",
            "hub/test_agents.py::test_a_clock_that_jumps_ends_no_agent",
            "hub/test_agents.py::test_an_agent_is_up_in_time_also_when_the_clock_is_set_back",
            "tmux/test_injection.py::test_after_a_clock_was_set_back_nobody_is_taken_to_be_typing",
        ),
    ),
    "F23": (
        "a client vanishes while it waits",
        (
            "hub/test_messages.py::test_an_answer_comes_as_a_message_when_the_command_that_waited_was_killed",
            "hub/test_converse.py::test_a_command_that_is_killed_is_forgotten_and_the_floor_passes_on",
            "security/test_doors.py::test_f23_a_handler_ends_when_its_client_goes",
        ),
    ),
    "F24": (
        "a message of 10 MB",
        (
            "hub/test_message_commands.py::test_ten_megabytes_are_refused_and_nothing_is_kept",
            "cli/test_client.py::test_text_of_70_kb_is_refused_before_it_is_sent",
            "security/test_body.py::test_refused",
        ),
    ),
    "F25": (
        "hostile texts",
        (
            "hub/test_message_commands.py::test_any_text_is_kept_as_it_was_said",
            "tmux/test_injection.py::test_any_text_arrives_as_it_is_after_cleaning",
            "wire/test_cli.py::test_cleaned_text_is_whole_utf8_without_controls_and_stays_as_it_is",
        ),
    ),
    "F26": (
        "a flood of messages, a loop of two",
        (
            "hub/test_messages_ends.py::test_a_thousand_at_once_to_one_agent_are_bounded_and_hold_nobody_else_up",
            "hub/test_messages_ends.py::test_messages_that_lead_to_messages_end_when_no_person_has_spoken",
            "hub/test_messages_ends.py::test_two_that_only_thank_each_other_are_stopped_with_a_notice",
        ),
    ),
    "F27": (
        "connections and files run out",
        (
            "faults/test_hub_faults.py::test_a_crowd_of_connections_leaves_agents_their_messages",
            "security/test_doors.py::test_s22_idle_connections_hold_nobody_up",
            "security/test_doors.py::test_s22_when_all_are_busy_the_next_is_turned_away",
        ),
    ),
    "F28": (
        "tmux hangs",
        (
            "tmux/test_tmux.py::test_a_stopped_server_is_a_time_out_and_no_hang",
            "hub/test_states.py::test_a_tmux_that_hangs_makes_all_unknown_and_the_hub_answers_on",
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_tests(fault: str) -> None:
    _, named = FAULTS[fault]
    for name in named:
        file, _, test = name.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert test in there, f"{fault}: {name} is not there any more; name what shows it now"


def test_the_table_is_whole() -> None:
    """F19-F21 are about speech and two pages, F29 and later about what is not there yet."""
    assert list(FAULTS) == [f"F{number}" for number in (*range(1, 19), *range(22, 29))]
