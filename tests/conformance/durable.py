"""What API.md promises otherwise, or not at all, of durable jobs: why, and the tests that it concerns.

Their own suite is `tests/durable`.
"""

OTHERWISE = {
    "a closed pool leaves what waits to others, and loses nothing": """
        test_a_closed_pool_refuses_jobs_and_still_answers
        test_a_closed_pool_refuses_it
        test_a_closed_pool_refuses_to_add_many_and_to_retry_and_still_answers
        test_a_closing_pool_refuses_jobs_while_its_own_still_run
        test_a_commit_after_the_close_ends_its_job_as_lost_with_its_events
        test_a_coroutine_cancels_and_retries
        test_a_handler_may_close_its_own_pool
        test_a_late_return_after_the_close_changes_nothing
        test_a_lost_job_is_announced_once
        test_a_retry_asked_for_while_the_pool_is_closing_costs_no_attempt
        test_a_retry_that_is_due_before_the_deadline_still_runs
        test_a_retry_that_is_due_later_is_lost
        test_a_timeout_still_holds_while_closing
        test_all_who_wait_get_the_ended_job_retention_or_not
        test_an_add_that_is_still_in_its_event_when_the_pool_closes_is_not_lost_silently
        test_an_event_may_close_its_own_pool
        test_close_of_a_paused_pool_starts_nothing_and_answers_what_is_left
        test_close_runs_a_delayed_job_that_is_due_in_time
        test_close_runs_what_waits_and_answers_that_nothing_is_left
        test_jobs_that_are_cancelled_time_out_or_are_lost_come_too
        test_twenty_jobs_added_at_once_all_end
        test_what_happened_is_counted_by_kind
        test_what_is_left_at_the_deadline_is_answered_and_ends_as_lost
    """,
    "rows are kept by RECORD_DAYS, whatever retention says": """
        test_a_success_is_forgotten_after_its_retention_and_a_failure_is_not
        test_an_id_of_the_projects_own_making_may_have_existed
        test_an_id_that_is_given_again_does_not_expire_with_the_one_before
        test_an_id_that_is_given_again_is_not_due_at_the_moment_of_the_one_before
        test_an_id_that_was_forgotten_may_be_given_again
        test_ended_jobs_are_remembered_by_default
        test_its_jobs_are_found_as_long_as_the_list_is_held
        test_retention_0_forgets_successes_and_failures_at_once
        test_retention_max_forgets_the_oldest_of_successes_and_failures_apart
        test_the_settings_retention_holds_where_a_definition_says_nothing
        test_what_is_forgotten_is_not_found
        test_what_is_forgotten_or_never_was_is_not_found
        test_what_never_was_is_called_so
        test_what_was_forgotten_may_have_existed
    """,
    "an end is told by a thread of the pool's own, some time after it is committed": """
        test_a_worker_is_not_free_while_it_tells_an_end
        test_by_the_time_of_its_end_event_get_shows_the_end
        test_each_run_and_each_event_has_a_fresh_context
        test_events_that_hang_are_given_up_outside_the_cap
        test_handlers_and_events_know_their_job
        test_no_run_of_the_second_life_starts_before_the_end_of_the_first_was_told
        test_progress_from_an_end_event_is_refused
    """,
    "a row belongs to the transaction that writes it, and to nothing else": """
        test_a_callback_that_was_thrown_away_gives_its_place_back
        test_a_cancel_before_the_commit_shows_at_once_and_its_events_come_after_the_commit
        test_a_connection_that_breaks_in_the_block_takes_the_job_back
        test_a_job_cancelled_within_its_add_event_ends_at_once_and_is_announced_after_it
        test_a_job_of_anothers_open_transaction_can_be_waited_for
        test_a_job_that_expires_before_its_commit_shows_at_once_and_is_told_after_it
        test_a_job_whose_callback_was_thrown_away_never_was_and_is_named_in_an_error_line
        test_a_rollback_of_the_database_named_takes_the_job_back
        test_a_thousand_rollbacks_leave_no_run_no_event_and_all_places_free
        test_after_a_rollback_none_of_them_ever_was
        test_another_thread_may_wait_for_a_job_whose_transaction_is_open
        test_another_threads_wait_for_an_open_transaction_keeps_its_timeout
        test_jobs_of_one_transaction_start_in_the_order_in_which_they_were_added
        test_no_worker_takes_a_job_before_its_commit
        test_on_commit_false_starts_at_once_and_survives_the_rollback
        test_the_database_named_is_the_one_whose_commit_counts
        test_two_threads_transactions_do_not_mix
        test_wait_waits_inside_a_transaction_that_the_add_does_not_belong_to
        test_whoever_asks_first_notices_that_the_job_never_was
        test_with_autocommit_off_a_blocks_job_starts_when_the_commit_is_made
        test_with_autocommit_off_a_rollback_takes_a_blocks_job_back
        test_without_a_block_a_job_starts_at_once_with_autocommit_off
    """,
    "places are counted in the database, and whoever waits for one looks": """
        test_a_close_ends_the_wait
        test_a_duplicate_is_refused_without_waiting
        test_a_full_queue_refuses_it_and_it_stays_a_failure
        test_a_retry_is_not_refused_by_a_full_queue
        test_aadds_that_wait_for_a_place_wait_at_once_and_hold_up_nobody
        test_many_wait_for_places_for_them_all
        test_wait_gets_the_place_that_a_start_frees
        test_wait_gets_the_place_that_comes_free_in_any_other_way
        test_who_comes_later_does_not_take_the_place_of_those_who_wait
        test_who_waits_longest_is_first
    """,
    "arguments and jobs are JSON in rows, found as the database finds texts, and never from an event loop": """
        test_a_job_is_added_looked_at_and_waited_for
        test_a_part_of_the_id_is_a_text
        test_in_this_process_handlers_are_given_the_very_objects
        test_options_are_checked
        test_options_hold_for_a_job_added_by_a_coroutine
        test_the_list_can_be_used_as_any_list_by_the_orm
        test_what_fits_is_found
    """,
    "between two runs a job is in no memory, and its clock is the database's": """
        test_a_definition_that_says_exponential_gets_it
        test_a_job_between_two_runs_has_started_and_does_not_expire
        test_a_job_that_has_not_started_when_it_expires_is_cancelled
        test_a_job_that_is_due_sooner_runs_sooner
        test_asking_disturbs_nobody_while_jobs_run
        test_a_retry_says_itself_after_how_long
        test_a_retry_without_a_time_waits_as_the_definition_says
        test_fixed_waits_are_all_the_same
        test_it_shrinks_under_load
        test_jobs_that_fail_together_do_not_come_back_together
        test_metrics_count_what_happened_and_what_is
        test_the_oldest_of_those_that_wait_for_a_worker_gives_its_age
    """,
}
EXCEPT = {name for names in OTHERWISE.values() for name in names.split()}
