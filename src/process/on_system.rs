//! The actix System that a command runs on.

/// Runs `work` on an actix System that is never dropped: dropping it would wait for its blocking threads, and one of them may
/// be in a name lookup that takes long and reacts to no signal.
pub fn on_system<T>(work: impl Future<Output = T>) -> T {
    let system = actix_rt::System::new();
    let result = system.block_on(work);
    std::mem::forget(system);
    result
}
