"""Each promise of the ports has the tests that it names here, and none goes missing unseen.

What holds for a promise stands on the page about ports; here stands where it is proven.
"""

import importlib
import pkgutil
from typing import Any, Final

import pytest

from shopaccounts.testing import contracts

PROMISES: Final = {
    "KER-101": ("writing.WritingContract.test_the_same_change_leads_to_the_same_entities_in_two_realms",),
    "KER-102": (
        "paging.PagesContract.test_a_large_change_is_stored_whole_or_not_at_all_too",
        "writing.WritingContract.test_a_version_is_1_at_first_and_grows_by_one_with_each_write",
    ),
    "KER-103": (
        "writing.WritingContract.test_a_guard_that_holds_writes_nothing",
        "writing.WritingContract.test_a_guard_holds_whatever_else_is_written",
    ),
    "KER-104": (
        "events.EventsContract.test_events_of_a_subject_are_numbered_in_the_order_they_are_told",
        "writing.WritingContract.test_a_change_that_contradicts_itself_is_a_defect",
    ),
    "KER-105": (
        "paging.PagesContract.test_a_page_with_a_defect_stores_nothing",
        "writing.WritingContract.test_a_change_that_is_too_large_is_a_defect",
        "writing.WritingContract.test_a_change_as_large_as_may_be_is_stored",
    ),
    "KER-106": (
        "failures.FailuresContract.test_an_empty_change_asks_nothing_of_the_storage",
        "paging.PagesContract.test_a_page_may_be_empty_and_so_may_its_changes",
        "writing.WritingContract.test_an_empty_change_does_nothing",
    ),
    "KER-108": ("writing.WritingContract.test_the_answer_tells_nothing_that_a_rule_could_decide_on",),
    "KER-110": (
        "cancelling.CancellingContract.test_a_change_that_is_cancelled_at_any_moment_is_stored_whole_or_not_at_all",
        "kills.KillsContract.test_a_process_that_dies_at_any_step_leaves_all_or_nothing",
        "writing.WritingContract.test_a_change_is_stored_with_all_its_parts",
        "writing.WritingContract.test_nothing_is_stored_if_one_part_does_not_hold",
        "writing.WritingContract.test_a_sweep_ends_a_group_but_for_those_that_are_spared",
        "writing.WritingContract.test_a_sweep_ends_what_was_there_and_not_what_its_own_change_adds",
    ),
    "KER-111": (
        "joined.JoinedContract.test_of_two_requests_that_decided_from_one_version_the_later_is_refused",
        "races.RaceContract.test_by_hand_the_first_wins_and_the_second_loses",
        "races.RaceContract.test_of_two_that_each_rely_on_what_the_other_changes_one_wins",
        "races.RaceContract.test_of_two_that_each_rely_on_the_absence_of_what_the_other_adds_one_wins",
        "writing.WritingContract.test_nothing_is_stored_if_one_part_does_not_hold",
        "writing.WritingContract.test_a_guard_that_holds_writes_nothing",
        "writing.WritingContract.test_an_entity_that_is_removed_may_be_added_anew",
        "writing.WritingContract.test_a_guard_holds_whatever_else_is_written",
    ),
    "KER-112": (
        "keys.KeysContract.test_an_entity_is_found_under_each_of_its_keys_and_no_other",
        "keys.KeysContract.test_a_change_that_wants_the_key_of_another_is_refused",
        "writing.WritingContract.test_nothing_is_stored_if_one_part_does_not_hold",
        "writing.WritingContract.test_what_is_taken_tells_nothing_of_its_holder",
    ),
    "KER-113": (
        "writing.WritingContract.test_stale_goes_before_taken",
        "writing.WritingContract.test_an_answered_command_is_replayed_though_all_else_is_wrong",
    ),
    "KER-114": (
        "races.RaceContract.test_of_many_at_once_exactly_one_wins",
        "races.RaceContract.test_of_two_that_each_rely_on_what_the_other_changes_one_wins",
        "races.RaceContract.test_of_two_that_each_rely_on_the_absence_of_what_the_other_adds_one_wins",
        "races.RaceContract.test_a_realm_that_many_open_first_at_once_is_one_realm",
        "races.ProcessesContract.test_of_many_processes_exactly_one_wins",
        "numbers.NumbersContract.test_of_many_at_once_each_gets_another_number_and_none_is_left_out",
    ),
    "KER-115": (
        "races.RaceContract.test_of_200_increments_by_4_at_once_none_is_lost",
        "reading.ReadingContract.test_what_is_recorded_is_seen_at_once_on_every_connection",
        "reading.ReadingContract.test_a_reader_never_sees_part_of_a_change",
    ),
    "KER-116": ("races.RaceContract.test_changes_that_touch_the_same_things_in_any_order_all_end",),
    "KER-117": (
        "joined.JoinedContract.test_what_host_and_shop_wrote_is_committed_together_and_seen_no_earlier",
        "joined.JoinedContract.test_nothing_is_left_of_what_the_host_takes_back",
        "joined.JoinedContract.test_a_refusal_leaves_the_transaction_of_the_host_as_it_was",
        "writing.WritingContract.test_it_is_told_whether_a_change_waits_for_the_commit_of_the_host",
    ),
    "KER-119": (
        "paging.PagesContract.test_losers_of_a_page_undo_no_winner",
        "paging.PagesContract.test_changes_of_a_page_are_recorded_in_their_order",
        "paging.PagesContract.test_a_page_may_be_empty_and_so_may_its_changes",
        "paging.PagesContract.test_a_page_with_a_defect_stores_nothing",
        "paging.PagesContract.test_a_large_page_is_recorded",
        "paging.PagesContract.test_a_large_page_writes_over_what_a_small_one_does",
        "numbers.NumbersContract.test_winners_of_a_page_are_numbered_in_its_order",
    ),
    "KER-120": (
        "races.RaceContract.test_a_realm_that_many_open_first_at_once_is_one_realm",
        "realms.RealmsContract.test_entities_of_another_realm_are_not_seen",
        "realms.RealmsContract.test_entities_of_another_realm_are_not_written_guarded_swept_or_purged",
        "realms.RealmsContract.test_keys_ids_markers_and_requests_of_two_realms_do_not_collide",
        "realms.RealmsContract.test_work_of_another_realm_is_not_claimed_and_does_not_hold_up_ours",
        "realms.RealmsContract.test_what_another_realm_set_aside_is_not_seen_or_put_back",
        "realms.RealmsContract.test_counters_and_leases_of_two_realms_are_apart",
        "writing.WritingContract.test_an_entity_of_another_realm_is_a_defect",
        "numbers.NumbersContract.test_each_realm_has_series_of_its_own",
    ),
    "KER-121": (
        "reading.ReadingContract.test_nothing_is_found_under_what_nobody_has",
        "reading.ReadingContract.test_a_look_up_brings_along_what_it_is_asked_for",
        "reading.ReadingContract.test_of_a_group_the_newest_after_so_many_tells_that_there_are_more",
        "reading.ReadingContract.test_what_is_missing_is_brought_along_as_nothing",
        "reading.ReadingContract.test_a_reader_never_sees_part_of_a_change",
        "reading.ReadingContract.test_of_many_ids_all_that_are_there_are_answered_at_once_in_their_order",
        "reading.ReadingContract.test_more_than_1000_ids_at_once_are_a_defect",
    ),
    "KER-122": (
        "reading.ReadingContract.test_a_look_up_brings_along_what_it_is_asked_for",
        "reading.ReadingContract.test_of_a_group_the_newest_after_so_many_tells_that_there_are_more",
    ),
    "KER-123": (
        "reading.ReadingContract.test_a_listing_is_in_order_and_ties_go_by_id",
        "reading.ReadingContract.test_a_page_has_no_more_than_its_limit_and_the_last_one_says_so",
        "reading.ReadingContract.test_a_listing_the_other_way_round_shows_the_same_newest_first",
        "reading.ReadingContract.test_a_page_of_none_or_of_more_than_500_is_a_defect",
        "reading.ReadingContract.test_a_walk_meets_whatever_stays_once_though_others_come_and_go",
        "reading.ReadingContract.test_a_listing_has_the_members_of_its_group_as_of_now",
    ),
    "KER-125": (
        "reading.ReadingContract.test_a_listing_is_in_order_and_ties_go_by_id",
        "reading.ReadingContract.test_of_many_ids_all_that_are_there_are_answered_at_once_in_their_order",
    ),
    "KER-127": ("failures.FailuresContract.test_a_storage_that_is_not_reached_says_so",),
    "CUS-27": ("keys.KeysContract.test_keys_that_look_alike_are_different_keys",),
    "KER-130": (
        "keys.KeysContract.test_keys_that_look_alike_are_different_keys",
        "keys.KeysContract.test_ids_markers_and_requests_that_look_alike_are_different_ones",
        "reading.ReadingContract.test_groups_that_look_alike_are_different_groups",
    ),
    "KER-131": (
        "keys.KeysContract.test_an_entity_is_found_under_each_of_its_keys_and_no_other",
        "keys.KeysContract.test_one_text_may_be_held_under_two_names_of_keys",
        "keys.KeysContract.test_a_key_that_is_given_up_can_be_held_by_another",
        "keys.KeysContract.test_keys_can_change_hands_within_one_change",
        "keys.KeysContract.test_an_entity_keeps_its_key_when_it_is_written_again",
        "realms.RealmsContract.test_keys_ids_markers_and_requests_of_two_realms_do_not_collide",
    ),
    "KER-132": ("keys.KeysContract.test_a_key_may_be_held_by_the_open_one_among_many",),
    "KER-133": (
        "keys.KeysContract.test_a_marker_is_set_once_until_it_lapses",
        "keys.KeysContract.test_a_marker_stays_set_when_the_clock_steps_back",
        "keys.KeysContract.test_a_refused_marker_does_not_prolong_the_first",
        "keys.KeysContract.test_markers_of_two_namespaces_are_apart",
        "writing.WritingContract.test_nothing_is_stored_if_one_part_does_not_hold",
    ),
    "KER-134": (
        "purging.PurgingContract.test_what_has_lapsed_is_forgotten_page_by_page_and_the_rest_stays",
        "purging.PurgingContract.test_what_was_purged_is_unknown_and_gives_up_its_keys",
        "purging.PurgingContract.test_what_was_used_stays_tellable_until_it_is_purged",
    ),
    "KER-135": (
        "keys.KeysContract.test_a_command_asked_again_is_answered_the_same_and_writes_nothing",
        "keys.KeysContract.test_receipts_of_two_namespaces_are_apart",
        "keys.KeysContract.test_the_answer_of_a_receipt_comes_back_byte_for_byte",
    ),
    "KER-136": (
        "keys.KeysContract.test_a_command_asked_again_is_answered_the_same_and_writes_nothing",
        "keys.KeysContract.test_a_request_key_that_comes_with_another_content_is_refused",
        "keys.KeysContract.test_a_refused_command_leaves_no_receipt",
        "kills.KillsContract.test_a_process_that_dies_at_any_step_leaves_all_or_nothing",
        "races.RaceContract.test_of_many_at_once_exactly_one_wins",
        "races.RaceContract.test_equal_commands_at_once_all_get_the_answer_of_the_one_that_writes",
        "writing.WritingContract.test_an_answered_command_is_replayed_though_all_else_is_wrong",
    ),
    "KER-140": (
        "due.DueWorkContract.test_what_was_missed_comes_in_pages_and_none_is_skipped",
        "due.DueWorkContract.test_a_claim_can_be_taken_over_when_it_ends_with_a_larger_fence",
        "races.RaceContract.test_of_many_at_once_exactly_one_wins",
        "races.RaceContract.test_workers_at_once_share_what_is_due_without_overlap",
        "due.DueWorkContract.test_what_others_write_keeps_its_claim",
        "races.RaceContract.test_what_is_worked_off_and_due_again_is_claimed_by_one_at_a_time",
    ),
    "KER-141": (
        "due.DueWorkContract.test_only_what_is_due_is_claimed_the_oldest_first_ties_by_id",
        "due.DueWorkContract.test_what_is_urgent_goes_before_what_is_older",
        "due.DueWorkContract.test_what_was_missed_comes_in_pages_and_none_is_skipped",
        "due.DueWorkContract.test_of_a_lane_only_the_first_that_waits_is_claimed",
        "due.DueWorkContract.test_what_is_due_in_some_groups_is_told_the_oldest_first_claimed_or_not",
        "due.DueWorkContract.test_what_was_put_off_or_set_aside_is_not_due_in_its_group",
        "due.DueWorkContract.test_a_place_in_a_lane_may_be_a_time_in_microseconds",
    ),
    "KER-142": (
        "counters.LeasesContract.test_a_lease_is_held_by_one_until_it_ends_and_its_fence_grows",
        "counters.LeasesContract.test_a_lease_that_was_given_back_is_free_and_not_ours_any_more",
        "due.DueWorkContract.test_a_claim_can_be_taken_over_when_it_ends_with_a_larger_fence",
        "due.DueWorkContract.test_what_others_write_keeps_its_claim",
        "due.DueWorkContract.test_a_claim_ends_with_the_write_that_works_it_off",
        "due.DueWorkContract.test_a_claim_doesnt_end_with_a_write_that_is_refused",
        "races.RaceContract.test_what_is_worked_off_and_due_again_is_claimed_by_one_at_a_time",
        "due.DueWorkContract.test_what_is_removed_can_be_neither_claimed_nor_settled",
    ),
    "KER-143": (
        "counters.LeasesContract.test_a_lease_guards_a_change_while_it_is_ours",
        "due.DueWorkContract.test_a_worker_that_slept_through_its_claim_changes_nothing",
        "due.DueWorkContract.test_a_claim_doesnt_end_with_a_write_that_is_refused",
        "writing.WritingContract.test_a_claim_that_is_ours_lets_the_change_through",
    ),
    "KER-144": (
        "counters.LeasesContract.test_only_a_lease_that_is_still_ours_is_renewed",
        "counters.LeasesContract.test_giving_back_a_lease_that_is_lost_does_nothing",
        "due.DueWorkContract.test_only_claims_that_are_still_ours_are_renewed",
        "due.DueWorkContract.test_giving_back_a_claim_that_is_lost_does_nothing",
        "due.DueWorkContract.test_a_claim_that_was_given_back_is_not_ours_any_more",
        "due.DueWorkContract.test_a_claim_ends_with_the_write_that_works_it_off",
    ),
    "KER-145": (
        "due.DueWorkContract.test_an_item_that_failed_comes_back_when_it_is_to_with_one_attempt_more",
        "due.DueWorkContract.test_an_item_that_is_set_aside_waits_for_a_person",
        "due.DueWorkContract.test_the_list_of_what_is_set_aside_has_a_limit",
        "due.DueWorkContract.test_an_item_that_is_set_aside_holds_up_its_lane",
        "due.DueWorkContract.test_what_was_put_off_or_set_aside_is_not_due_in_its_group",
    ),
    "KER-146": ("due.DueWorkContract.test_what_was_missed_comes_in_pages_and_none_is_skipped",),
    "KER-150": (
        "counters.CountersContract.test_a_state_comes_back_as_it_went_in",
        "counters.CountersContract.test_a_state_is_replaced_only_by_who_has_seen_it",
        "counters.CountersContract.test_several_states_are_read_at_once_and_those_that_are_absent_are_left_out",
        "counters.CountersContract.test_of_several_states_each_is_replaced_by_itself",
        "counters.CountersContract.test_what_is_forgotten_is_absent_and_whatever_else_there_is_stays",
        "counters.CountersContract.test_a_state_that_was_forgotten_and_set_anew_is_another_one",
        "counters.CountersContract.test_amounts_add_up",
        "counters.CountersContract.test_keys_that_look_alike_are_different_counters",
        "races.RaceContract.test_of_many_at_once_exactly_one_wins",
        "races.RaceContract.test_of_n_that_add_one_each_gets_another_sum",
    ),
    "KER-151": (
        "counters.CountersContract.test_a_state_comes_back_as_it_went_in",
        "counters.CountersContract.test_a_state_of_more_than_256_bytes_is_a_defect",
        "counters.CountersContract.test_whatever_is_read_can_be_swapped_lapsed_or_not",
        "counters.CountersContract.test_a_sum_that_lapsed_counts_as_nothing",
    ),
    "KER-153": ("counters.CountersContract.test_counters_say_whether_they_outlive_a_restart",),
    "KER-156": (
        "quotas.QuotasContract.test_no_crowd_takes_more_than_there_is",
        "quotas.QuotasContract.test_a_crowd_gives_the_same_back_once",
        "quotas.QuotasContract.test_what_a_change_takes_is_taken_with_it_or_not_at_all",
    ),
    "KER-160": (
        "vault.VaultContract.test_what_is_sealed_is_worthless_in_any_other_place",
        "vault.KeyringContract.test_the_active_key_of_a_ring_stays_the_same_until_one_is_added",
        "vault.KeyringContract.test_no_two_rings_share_a_key",
    ),
    "KER-162": (
        "vault.VaultContract.test_what_is_sealed_opens_in_its_place",
        "vault.VaultContract.test_what_is_sealed_is_worthless_in_any_other_place",
    ),
    "KER-163": (
        "vault.VaultContract.test_what_is_sealed_opens_in_its_place",
        "vault.VaultContract.test_a_value_with_any_other_byte_does_not_open",
    ),
    "KER-164": (
        "vault.VaultContract.test_what_is_sealed_is_worthless_in_any_other_place",
        "vault.VaultContract.test_a_value_with_any_other_byte_does_not_open",
        "vault.VaultContract.test_a_value_of_any_other_length_does_not_open",
        "vault.KeyringContract.test_an_unknown_key_is_missing",
    ),
    "KER-165": ("vault.VaultContract.test_sealing_the_same_text_twice_gives_different_bytes",),
    "KER-166": (
        "vault.VaultContract.test_after_a_rotation_old_values_open_and_are_resealed_once",
        "vault.KeyringContract.test_all_answers_the_active_key_first_and_then_the_newest",
        "vault.KeyringContract.test_a_reading_key_that_nothing_uses_can_be_retired",
        "vault.KeyringContract.test_a_key_in_use_and_the_active_one_are_not_retired",
    ),
    "KER-167": ("vault.KeyringContract.test_an_unknown_key_is_missing",),
    "KER-168": (
        "vault.VaultContract.test_neither_vault_nor_sealed_value_shows_what_is_sealed",
        "vault.KeyringContract.test_no_repr_shows_a_key",
    ),
    "KER-190": (
        "values.ValuesContract.test_extreme_values_come_back_as_they_went_in",
        "values.ValuesContract.test_times_come_back_aware_and_in_utc",
    ),
    "KER-191": ("due.DueWorkContract.test_a_worker_that_slept_through_its_claim_changes_nothing",),
    "KER-192": (
        "counters.CountersContract.test_a_state_that_was_forgotten_and_set_anew_is_another_one",
        "counters.LeasesContract.test_a_lease_is_held_by_one_until_it_ends_and_its_fence_grows",
        "due.DueWorkContract.test_a_claim_can_be_taken_over_when_it_ends_with_a_larger_fence",
        "events.EventsContract.test_numbers_go_on_after_the_events_are_purged",
        "keys.KeysContract.test_a_marker_stays_set_when_the_clock_steps_back",
        "writing.WritingContract.test_a_version_is_1_at_first_and_grows_by_one_with_each_write",
        "numbers.NumbersContract.test_a_number_is_never_given_again",
    ),
    "KER-194": ("values.ValuesContract.test_extreme_values_come_back_as_they_went_in",),
    "KER-195": (
        "values.ValuesContract.test_extreme_values_come_back_as_they_went_in",
        "values.ValuesContract.test_generated_values_come_back_as_they_went_in",
        "values.ValuesContract.test_an_event_comes_back_as_it_was_told",
    ),
    "KER-196": (
        "purging.PurgingContract.test_what_has_reached_its_end_goes_page_by_page",
        "purging.PurgingContract.test_what_has_no_end_or_has_not_reached_it_stays",
        "purging.PurgingContract.test_what_was_purged_is_unknown_and_gives_up_its_keys",
        "purging.PurgingContract.test_what_has_lapsed_is_forgotten_page_by_page_and_the_rest_stays",
        "purging.PurgingContract.test_what_has_lapsed_is_forgotten_in_all_realms",
    ),
    "REL-101": (
        "events.EventsContract.test_a_refused_change_leaves_no_gap_in_the_numbers",
        "events.EventsContract.test_an_event_is_handled_once_by_each_subscriber",
        "kills.KillsContract.test_a_process_that_dies_at_any_step_leaves_all_or_nothing",
        "writing.WritingContract.test_a_change_is_stored_with_all_its_parts",
        "writing.WritingContract.test_nothing_is_stored_if_one_part_does_not_hold",
    ),
    "REL-102": (
        "events.EventsContract.test_events_of_a_subject_are_numbered_in_the_order_they_are_told",
        "events.EventsContract.test_an_event_without_a_subject_has_no_number",
        "events.EventsContract.test_a_refused_change_leaves_no_gap_in_the_numbers",
        "events.EventsContract.test_numbers_go_on_after_the_events_are_purged",
        "events.EventsContract.test_events_of_a_subject_are_claimed_in_their_order",
        "races.RaceContract.test_events_of_one_subject_told_at_once_are_numbered_without_gaps",
    ),
    "REL-103": ("events.EventsContract.test_a_worker_whose_claim_was_taken_over_settles_nothing",),
    "REL-105": ("events.EventsContract.test_a_message_that_ends_keeps_neither_address_nor_secret",),
    "REL-109": ("events.EventsContract.test_a_message_that_fails_holds_up_no_other",),
    "REL-110": ("kills.KillsContract.test_a_process_that_dies_at_any_step_leaves_all_or_nothing",),
    "REL-111": ("events.EventsContract.test_messages_of_somebody_who_is_erased_go_with_the_change_that_erases",),
    "REL-112": ("events.EventsContract.test_an_event_that_was_not_handed_on_is_not_purged",),
    "ADA-102": ("writing.WritingContract.test_nothing_is_stored_if_one_part_does_not_hold",),
    "ADA-103": (
        "races.RaceContract.test_of_two_that_each_rely_on_what_the_other_changes_one_wins",
        "writing.WritingContract.test_a_guard_that_holds_writes_nothing",
        "writing.WritingContract.test_a_guard_holds_whatever_else_is_written",
    ),
    "ADA-107": (
        "values.ValuesContract.test_extreme_values_come_back_as_they_went_in",
        "values.ValuesContract.test_empty_and_missing_are_told_apart",
    ),
    "ADA-109": (
        "cancelling.CancellingContract.test_a_change_that_is_cancelled_at_any_moment_is_stored_whole_or_not_at_all",
        "cancelling.CancellingContract.test_connections_of_cancelled_tasks_serve_others_again",
    ),
    "ADA-110": (
        "failures.FailuresContract.test_a_storage_that_is_not_reached_says_so",
        "failures.FailuresContract.test_when_the_cause_is_gone_the_next_call_works",
    ),
    "HST-13": (
        "joined.JoinedContract.test_what_host_and_shop_wrote_is_committed_together_and_seen_no_earlier",
        "joined.JoinedContract.test_a_refusal_leaves_the_transaction_of_the_host_as_it_was",
    ),
    "HST-14": ("joined.JoinedContract.test_nothing_is_left_of_what_the_host_takes_back",),
    "HST-18": (
        "joined.JoinedContract.test_what_host_and_shop_wrote_is_committed_together_and_seen_no_earlier",
        "joined.JoinedContract.test_nothing_is_left_of_what_the_host_takes_back",
        "joined.JoinedContract.test_a_refusal_leaves_the_transaction_of_the_host_as_it_was",
        "joined.JoinedContract.test_savepoints_of_the_host_hold_what_was_recorded_in_them",
        "joined.JoinedContract.test_of_two_requests_that_decided_from_one_version_the_later_is_refused",
        "joined.JoinedContract.test_a_request_that_was_taken_back_is_in_nobodys_way",
    ),
    "SQL-1": (
        "races.RaceContract.test_of_200_increments_by_4_at_once_none_is_lost",
        "writing.WritingContract.test_nothing_is_stored_if_one_part_does_not_hold",
    ),
    "SQL-2": ("races.RaceContract.test_of_200_increments_by_4_at_once_none_is_lost",),
    "TES-105": (
        "races.RaceContract.test_of_many_at_once_exactly_one_wins",
        "races.ProcessesContract.test_of_many_processes_exactly_one_wins",
    ),
    "TES-106": (
        "joined.JoinedContract.test_of_two_requests_that_decided_from_one_version_the_later_is_refused",
        "joined.JoinedContract.test_a_request_that_was_taken_back_is_in_nobodys_way",
        "races.RaceContract.test_by_hand_the_first_wins_and_the_second_loses",
        "races.ProcessesContract.test_of_many_processes_exactly_one_wins",
    ),
    "TES-107": ("kills.KillsContract.test_a_process_that_dies_at_any_step_leaves_all_or_nothing",),
    "TES-108": (
        "joined.JoinedContract.test_nothing_is_left_of_what_the_host_takes_back",
        "joined.JoinedContract.test_a_request_that_was_taken_back_is_in_nobodys_way",
    ),
}


def contract_tests() -> dict[str, Any]:
    """Every test of every contract, as module, class and test."""
    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(contracts.__path__):
        for kind in vars(importlib.import_module(f"{contracts.__name__}.{module.name}")).values():
            if isinstance(kind, type) and kind.__module__ == f"{contracts.__name__}.{module.name}":
                names = [name for name in vars(kind) if name.startswith("test_")]
                found |= {f"{module.name}.{kind.__name__}.{name}": getattr(kind, name) for name in names}
    return found


def promised_by(test: Any) -> set[str]:
    """The ids in the marks of a test."""
    return {str(rule) for mark in getattr(test, "pytestmark", ()) if mark.name == "proves" for rule in mark.args}


@pytest.fixture(scope="module")
def tests() -> dict[str, Any]:
    return contract_tests()


@pytest.mark.proves("TES-101")
@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_is_proven_by_the_tests_it_names(promise: str, tests: dict[str, Any]) -> None:
    assert PROMISES[promise]
    for name in PROMISES[promise]:
        assert name in tests, f"{promise} names {name}, which is not there"
        assert promise in promised_by(tests[name]), f"{name} doesn't say that it proves {promise}"


@pytest.mark.proves("TES-101")
def test_every_contract_test_that_proves_a_promise_is_named(tests: dict[str, Any]) -> None:
    unnamed = [
        f"{rule}: {name}"
        for name, test in tests.items()
        for rule in promised_by(test) & PROMISES.keys()
        if name not in PROMISES[rule]
    ]
    assert not unnamed, f"name these under their promise: {unnamed}"


@pytest.mark.proves("TES-101")
def test_every_contract_test_says_what_it_proves(tests: dict[str, Any]) -> None:
    silent = [name for name, test in tests.items() if not promised_by(test)]
    assert not silent, f"mark these with the rules they prove: {silent}"
