use super::*;

type Reserved = Vec<(Receiver<Command>, Box<Entity<Calls>>)>;
type Reply = oneshot::Sender<Result<(), StoreError>>;

fn size<F: Future>(
    _begin: impl FnOnce(Arc<Platform>, Reserved, Vec<Change>, Option<KeyUse>, Reply) -> F,
) -> usize {
    size_of::<F>()
}

#[test]
fn the_task_of_a_call_is_small() {
    assert!(size(begin) < 1_500, "{}", size(begin));
}
