//! The contract of the store's engines. Another engine is one more module at the end of this file.

mod accounts;
mod batches;
mod calls;
mod documents;
mod jobs;
mod lists;
mod records;

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

async fn ids_of(store: &dyn Store, owner: &Record, relationship: &'static str) -> Vec<Uuid> {
    let members = store.members(trunks(1), vec![owner.number], relationship, 1_000).await.unwrap();
    members.into_iter().map(|(_, _, id)| id).collect()
}

/// Defines the tests of the contract for an engine, from a function that opens a store and a value that must
/// outlive it.
macro_rules! contract {
    ($($part:ident { $($case:ident)* })*) => {
        macro_rules! engine {
            ($engine:ident, $open:expr) => {
                mod $engine {
                    use super::*;
                    $($(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $case() {
                            let (store, _kept) = $open;
                            super::$part::$case(&store).await;
                        }
                    )*)*
                }
            };
        }
    };
}

contract! {
    calls {
        a_call_that_was_answered_is_kept_until_its_record_takes_its_place
        a_second_record_or_a_late_running_call_is_ignored
        a_reset_deletes_the_running_calls_of_its_account
    }
    records {
        a_record_is_found_as_it_was_inserted_and_only_where_it_belongs
        records_are_found_in_the_order_asked_for
        a_replace_counts_and_a_stale_one_changes_nothing
        a_unique_value_is_taken_once_in_an_account
        an_id_is_taken_once_in_the_whole_store
        a_deleted_record_is_gone_with_its_links_and_its_number
        a_number_belongs_to_one_did_of_all_accounts_until_that_is_deleted
        members_keep_the_order_in_which_they_were_linked
        a_link_to_nothing_or_to_another_account_is_a_conflict
        the_check_succeeds_until_the_store_is_closed
    }
    documents {
        a_document_is_replaced_if_its_revision_matches
        ended_and_deleted_documents_leave_the_lists
        a_document_is_found_by_its_keys_as_they_are_now
        observers_receive_changes_of_documents_but_not_new_ones
    }
    jobs {
        a_job_can_be_taken_when_it_is_due_and_not_before
        due_jobs_are_taken_in_the_order_of_their_times_up_to_the_maximum_of_their_kind
        a_kind_has_one_job_for_a_subject_and_the_earlier_time_can_be_kept
        a_taken_job_is_left_to_its_node_until_the_lease_expires
        a_job_is_done_together_with_its_effect_and_only_once
        a_run_that_was_superseded_or_cancelled_changes_nothing
        a_rescheduled_job_has_its_new_time_payload_and_attempts
        a_node_that_starts_again_releases_what_it_held
        the_jobs_of_an_account_are_bounded_and_deleted_with_its_records
        a_job_that_is_too_large_is_refused
        jobs_wait_no_longer_when_the_clock_was_set_back
        a_schedule_is_reported_after_its_commit
    }
    batches {
        a_batch_that_fails_anywhere_leaves_nothing
        one_failing_write_does_not_affect_concurrent_writes
        of_two_changes_to_the_same_record_one_is_a_conflict
    }
    lists {
        every_filter_finds_what_it_should
        lists_are_sorted_with_ties_by_creation_and_null_last
        every_page_is_a_section_of_the_whole_list
        a_list_can_be_what_a_record_is_linked_to
        a_page_matches_its_total_during_concurrent_writes
    }
    accounts {
        accounts_and_their_keys_are_kept_apart
        a_deleted_account_cannot_be_saved_again
        a_write_completes_although_its_caller_stopped_waiting
        a_reset_deletes_only_the_account_that_it_names
    }
}

engine!(sqlite_in_memory, (SqliteStore::in_memory().unwrap(), ()));
engine!(sqlite_in_a_file, {
    let folder = tempfile::tempdir().unwrap();
    (SqliteStore::open(&folder.path().join("contract.db")).unwrap(), folder)
});
