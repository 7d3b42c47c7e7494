//! The contract of the store's engines, in the parts of the trait. Another engine is one more factory at the end of
//! this file.

mod accounts;
mod batches;
mod callback_secrets;
mod calls;
mod channels;
mod documents;
mod events;
mod feed;
mod idempotency;
mod jobs;
mod lists;
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other engine has several nodes"))]
mod nodes;
#[cfg(feature = "postgres")]
mod postgres;
mod rate_shares;
mod records;
mod related;
mod texts;

use didww_types::FilterTest;
use trunk_store::{Condition, IndexValue, Record, SqliteStore, Store};
use uuid::Uuid;

use crate::support::records::trunks;

fn value(text: &str) -> IndexValue {
    IndexValue::Text(text.to_owned())
}

fn any(path: &'static str, texts: &[&str]) -> Condition {
    Condition { test: FilterTest::Equals(path), values: texts.iter().map(|text| value(text)).collect() }
}

fn equals(path: &'static str, text: &str) -> Condition {
    any(path, &[text])
}

async fn ids_of(store: &impl Store, owner: &Record, relationship: &'static str) -> Vec<Uuid> {
    let members = store.members(trunks(1), vec![owner.number], relationship, 1_000).await.unwrap();
    members.into_iter().map(|(_, _, id)| id).collect()
}

/// Opens a new, empty store of an engine, and what must outlive it.
///
/// An engine is held to the contract by a factory and the names of the parts that it implements.
trait Factory {
    type Store;
    type Kept;
    async fn open() -> (Self::Store, Self::Kept);
}

/// Defines the tests of one part for a factory.
macro_rules! part {
    (@ $factory:ident $part:ident: $($case:ident)*) => {
        mod $part {
            use super::super::{$part, Factory, $factory};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (store, _kept) = $factory::open().await;
                    $part::$case(&store).await;
                }
            )*
        }
    };
    ($factory:ident records) => { part! { @ $factory records:
        a_record_is_found_as_it_was_inserted_and_only_where_it_belongs
        records_are_found_in_the_order_asked_for
        a_replace_counts_and_a_stale_one_changes_nothing
        a_unique_value_is_taken_once_in_an_account
        an_id_is_taken_once_in_the_whole_store
        a_decision_on_a_record_that_changed_is_a_conflict
        a_decision_on_a_record_that_is_linked_by_now_is_a_conflict
        a_number_that_all_accounts_share_is_taken_by_one_of_them
        the_first_numbers_in_stock_are_those_that_no_account_has_taken
        which_of_many_numbers_are_dids_is_known_for_all_accounts
        the_did_with_a_number_is_found_whatever_account_has_it
        an_attribute_that_is_not_declared_is_kept
        a_deleted_record_is_gone_with_its_links_and_its_number
        a_number_belongs_to_one_did_of_all_accounts_until_that_is_deleted
        a_reset_applies_its_changes_or_deletes_nothing
        members_keep_the_order_in_which_they_were_linked
        a_link_to_nothing_or_to_another_account_is_a_conflict
        every_record_of_a_type_is_read_in_order_a_page_at_a_time
        a_record_behind_many_of_another_type_is_read_too
        a_record_behind_many_numbers_of_records_that_are_gone_is_read_too
        the_records_of_a_page_have_their_own_members_in_the_order_of_their_links
        the_check_succeeds_until_the_store_is_closed
    } };
    ($factory:ident lists) => { part! { @ $factory lists:
        every_filter_finds_what_it_should
        lists_are_sorted_with_ties_by_creation_and_null_last
        filtered_lists_are_sorted_by_amounts_and_instants_and_not_by_their_texts
        every_page_is_a_section_of_the_whole_list
        a_list_can_be_what_a_record_is_linked_to
        no_list_of_before_a_reset_is_returned_after_it
        a_page_matches_its_total_during_concurrent_writes
    } };
    ($factory:ident related) => { part! { @ $factory related:
        filters_follow_relationships_backwards_and_see_what_related_records_state
        texts_are_found_in_lower_case_and_one_behind_the_other
        lists_are_sorted_by_related_records_with_those_without_one_last
        conditions_on_shared_records_hold_whichever_selects_them
        a_short_list_is_sorted_among_many_records
        members_of_the_other_side_are_members
        a_total_is_that_of_the_decimals_as_they_are_stored
    } };
    ($factory:ident batches) => { part! { @ $factory batches:
        a_batch_that_fails_anywhere_leaves_nothing
        one_failing_write_does_not_affect_concurrent_writes
        of_two_changes_to_the_same_record_one_is_a_conflict
        what_leaves_a_balance_is_what_the_records_beside_it_cost
    } };
    ($factory:ident accounts) => { part! { @ $factory accounts:
        accounts_and_their_keys_are_kept_apart
        a_key_is_found_by_its_id_with_the_limits_of_its_use
        keys_of_tokens_rotate_once_for_all_who_ask_and_leave_when_they_are_over
        a_deleted_account_cannot_be_saved_again
        an_account_that_changed_since_it_was_read_is_not_saved
        a_write_completes_although_its_caller_stopped_waiting
        a_reset_deletes_only_the_account_that_it_names
    } };
    ($factory:ident documents) => { part! { @ $factory documents:
        a_document_is_replaced_if_its_revision_matches
        ended_and_deleted_documents_leave_the_lists
        a_document_is_found_by_its_keys_as_they_are_now
        documents_are_counted_and_aged_as_they_are_now
        documents_with_a_key_are_read_a_page_at_a_time_from_the_oldest_on
        a_forgotten_document_gives_its_keys_back_if_its_revision_matches
        a_unique_key_is_taken_once_of_many_who_want_it
        a_reset_keeps_who_is_known_and_deletes_what_happened
    } };
    ($factory:ident events) => { part! { @ $factory events:
        an_event_behind_a_waiting_one_of_its_subject_is_not_due
        a_long_queue_hides_neither_another_subject_nor_another_account
        a_failed_attempt_that_is_recorded_again_counts_once
        an_attempt_at_an_event_that_a_reset_deleted_does_not_change_its_successor
        a_webhook_is_stored_with_its_method_and_signature
        customers_take_turns_with_each_other_and_with_accounts
        a_reset_of_an_account_leaves_customers_alone_and_one_of_everything_does_not
        of_a_customers_call_the_first_event_is_due_and_the_others_take_their_turns
        of_one_owner_no_more_subjects_are_due_than_are_asked_for
        an_event_over_the_bound_drops_the_oldest_one_of_the_same_customer_only
        events_that_waited_too_long_are_dropped_and_younger_ones_are_not
        a_long_queue_is_dropped_a_little_at_a_time_and_by_a_hundredth_at_least
        an_attempt_at_an_event_that_was_dropped_meanwhile_does_not_change_it
        a_clock_that_is_set_back_makes_nothing_wait_longer
        an_event_of_an_account_without_an_enabled_secret_is_dropped
        a_subject_is_sent_by_one_node_until_its_lease_runs_out
        an_attempt_of_a_node_that_lost_its_lease_changes_nothing
        a_lease_ends_no_later_when_the_clock_was_set_back
        events_of_a_subject_that_are_written_at_once_are_all_sent
    } };
    ($factory:ident nodes) => { part! { @ $factory nodes:
        a_node_is_listed_while_it_beats_or_has_calls
        a_node_that_is_not_dead_is_not_taken_over
    } };
    ($factory:ident channels) => { part! { @ $factory channels:
        one_node_holds_as_many_channels_as_the_limit_and_its_calls_have
    } };
    ($factory:ident rate_shares) => { part! { @ $factory rate_shares:
        one_node_holds_what_it_would_take_up_to_the_limit
    } };
    ($factory:ident callback_secrets) => { part! { @ $factory callback_secrets:
        an_account_has_at_most_one_enabled_secret
        a_secret_is_replaced_and_removed_in_its_own_account_only
        the_secrets_of_an_account_are_bounded_and_deleted_with_it
        a_secret_that_is_ensured_is_enabled_and_stored_once
        of_secrets_that_are_enabled_at_once_one_is
    } };
    ($factory:ident calls) => { part! { @ $factory calls:
        a_call_that_was_answered_is_kept_until_its_record_takes_its_place
        a_second_record_or_a_late_running_call_is_ignored
        a_reset_deletes_the_running_calls_of_its_account
        every_filter_of_call_records_finds_what_it_should
        charges_are_those_of_calls_that_cost_something
        a_call_is_charged_once_however_its_writes_meet
        a_step_outlives_the_calls_that_it_was_written_for
        old_records_of_calls_are_deleted_a_few_at_a_time
    } };
    ($factory:ident jobs) => { part! { @ $factory jobs:
        a_job_can_be_taken_when_it_is_due_and_not_before
        due_jobs_are_taken_in_the_order_of_their_times_up_to_the_maximum_of_their_kind
        a_kind_has_one_job_for_a_subject_and_the_earlier_time_can_be_kept
        a_taken_job_is_left_to_its_node_until_the_lease_expires
        a_job_is_done_together_with_its_effect_and_only_once
        a_run_that_was_superseded_or_cancelled_changes_nothing
        a_rescheduled_job_has_its_new_time_payload_and_attempts
        a_node_that_starts_again_releases_what_it_held
        a_node_releases_the_jobs_that_it_holds_and_does_not_run
        the_jobs_of_an_account_are_bounded_and_deleted_with_its_records
        a_job_that_is_too_large_is_refused
        jobs_wait_no_longer_when_the_clock_was_set_back
        a_schedule_is_reported_after_its_commit
        jobs_that_are_taken_at_once_are_taken_once
        the_jobs_of_an_account_are_bounded_however_many_are_scheduled_at_once
    } };
    ($factory:ident idempotency) => { part! { @ $factory idempotency:
        a_key_is_used_by_the_first_write_of_its_request_and_the_response_follows
        a_write_with_a_key_that_another_request_used_changes_nothing
        a_request_that_wrote_nothing_can_keep_its_response
        a_key_belongs_to_its_scope
        a_key_that_expired_can_be_used_again
        the_oldest_keys_with_a_response_are_forgotten_first
        the_bytes_of_the_responses_of_a_scope_are_bounded
        old_keys_are_deleted_a_few_at_a_time
        a_reset_deletes_the_keys_of_its_account_and_never_those_of_the_control_api
    } };
    ($factory:ident texts) => { part! { @ $factory texts:
        the_name_of_an_account_has_no_nul_and_at_most_2048_bytes
        a_key_of_a_document_has_no_nul_and_at_most_2048_bytes
        an_indexed_text_of_a_record_has_at_most_2048_bytes
        no_record_of_a_call_has_a_nul_or_is_found_by_one
    } };
    ($factory:ident feed) => { part! { @ $factory feed:
        every_effect_of_a_write_is_in_the_feed_when_the_write_is_answered
        the_feed_names_accounts_whose_data_or_keys_changed
        copies_that_are_loaded_during_writes_and_then_follow_miss_nothing
        the_feed_names_changed_documents_and_not_new_ones
        the_feed_has_who_is_to_hang_up_and_no_calls_of_this_node
    } };
}

/// Holds an engine to all parts of the contract.
macro_rules! engine {
    ($engine:ident, $factory:ident) => {
        mod $engine {
            part! { $factory records }
            part! { $factory lists }
            part! { $factory related }
            part! { $factory batches }
            part! { $factory accounts }
            part! { $factory documents }
            part! { $factory events }
            part! { $factory callback_secrets }
            part! { $factory calls }
            part! { $factory channels }
            part! { $factory rate_shares }
            part! { $factory jobs }
            part! { $factory nodes }
            part! { $factory idempotency }
            part! { $factory feed }
            part! { $factory texts }
        }
    };
}

struct SqliteInMemory;

impl Factory for SqliteInMemory {
    type Store = SqliteStore;
    type Kept = ();

    async fn open() -> (SqliteStore, ()) {
        (SqliteStore::in_memory().unwrap(), ())
    }
}

struct SqliteInAFile;

impl Factory for SqliteInAFile {
    type Store = SqliteStore;
    type Kept = tempfile::TempDir;

    async fn open() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (SqliteStore::open(&folder.path().join("contract.db")).unwrap(), folder)
    }
}

#[cfg(feature = "postgres")]
use postgres::{PgBouncer, Postgres};

engine!(sqlite_in_memory, SqliteInMemory);
engine!(sqlite_in_a_file, SqliteInAFile);
#[cfg(feature = "postgres")]
engine!(postgresql, Postgres);

/// The parts whose statements differ most, behind a pooler.
#[cfg(feature = "postgres")]
mod pgbouncer {
    part! { PgBouncer records }
    part! { PgBouncer lists }
    part! { PgBouncer related }
    part! { PgBouncer batches }
    part! { PgBouncer accounts }
    part! { PgBouncer events }
    part! { PgBouncer jobs }
    part! { PgBouncer rate_shares }
    part! { PgBouncer idempotency }
    part! { PgBouncer feed }
}
