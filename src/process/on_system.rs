//! The actix System that a command runs on.

/// Runs on an actix System. It is left standing: ending it waits for its blocking threads, and one of them may be
/// resolving a name for as long as the resolver likes, with every signal ignored.
pub fn on_system<T>(work: impl Future<Output = T>) -> T {
    let system = actix_rt::System::new();
    let result = system.block_on(work);
    std::mem::forget(system);
    result
}
