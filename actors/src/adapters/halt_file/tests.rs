//! The halt file on a real file system, with other processes that hold its lock.

use super::*;
use std::sync::mpsc;

/// A directory for one test, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("sentinel-halt-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_file_halts_from_its_making_to_its_removal() {
    let place = Place::new();
    let path = place.0.join("halt");
    let switch = HaltFile::new(Some(path.clone()));
    assert_eq!(switch.state(), HaltState::Running);
    assert!(halt(&path).unwrap() && switch.is_halted());
    assert!(!halt(&path).unwrap() && switch.is_halted(), "halting twice is halted");
    assert!(resume(&path).unwrap() && !switch.is_halted());
    assert!(!resume(&path).unwrap() && !switch.is_halted());
    fs::write(&path, "").unwrap();
    assert_eq!(switch.state(), HaltState::Halted, "touch does as well");
}

#[test]
fn a_second_halt_gives_the_file_a_new_time() {
    let place = Place::new();
    let path = place.0.join("halt");
    halt(&path).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    assert!(!halt(&path).unwrap());
    assert!(fs::metadata(&path).unwrap().modified().unwrap() > long_ago);
    fs::create_dir(place.0.join("folder")).unwrap();
    assert!(!halt(&place.0.join("folder")).unwrap(), "a directory halts as well, and stays as it is");
}

#[test]
fn a_halt_stops_orders_before_it_is_on_disk() {
    let place = Place::new();
    let path = place.0.join("halt");
    let modified = || fs::metadata(&path).unwrap().modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let first = make(&path).unwrap();
    assert!(HaltFile::new(Some(path.clone())).is_halted() && first.is_new());
    assert_eq!(first.at(), Some(modified()));
    thread::sleep(Duration::from_millis(5));
    let second = make(&path).unwrap();
    assert_eq!((second.is_new(), second.at()), (false, Some(modified())));
    assert!(second.at() > first.at(), "each halt has a time of its own");
    second.sync().unwrap();
    resume(&path).unwrap();
    second.sync().unwrap();
    assert!(!path.exists(), "to sync makes nothing");
    fs::create_dir(&path).unwrap();
    let other = make(&path).unwrap();
    assert_eq!((other.is_new(), other.at()), (false, None), "its time is not this halt's");
    other.sync().unwrap();
    fs::remove_dir(&path).unwrap();
    fs::remove_dir(&place.0).unwrap();
    assert!(second.sync().is_err(), "nobody knows whether it is on disk");
}

/// Far longer than any test takes: a wait that ends by its time would be a failure.
const LONG: Duration = Duration::from_secs(600);

/// A halt on a thread of its own that waits as long as it must. The receiver gets a message each time it finds the lock held,
/// and an error if it has ended without that.
fn halting(path: &Path, wait: Duration) -> (thread::JoinHandle<io::Result<bool>>, mpsc::Receiver<()>) {
    let (waits, waiting) = mpsc::channel();
    let path = path.to_owned();
    let pause = move || {
        // Nobody listens any more once the test has seen it wait.
        let _ = waits.send(());
        thread::yield_now();
    };
    (thread::spawn(move || make_within(&path, wait, LONG, pause).map(|made| made.is_new())), waiting)
}

#[test]
fn a_halt_between_a_resumes_look_and_its_removal_stands() {
    let place = Place::new();
    let path = place.0.join("halt");
    for is_halted in [true, false] {
        let _ = resume(&path);
        if is_halted {
            halt(&path).unwrap();
        }
        let mut made = None;
        let resumed = resume_if(&path, || {
            let (thread, waiting) = halting(&path, LONG);
            made = Some(thread);
            waiting.recv().expect("it waits for the lock");
            true
        });
        assert_eq!(resumed.unwrap(), Some(is_halted));
        assert!(made.unwrap().join().unwrap().unwrap(), "it made a file of its own");
        assert!(path.exists(), "the newer halt stands");
    }
    assert_eq!(resume_if(&path, || false).unwrap(), None);
    assert!(path.exists(), "another file than expected stays");
}

#[test]
fn a_halt_that_no_lock_waited_for_stands_as_well() {
    let place = Place::new();
    let path = place.0.join("halt");
    for is_halted in [true, false] {
        let _ = resume(&path);
        if is_halted {
            halt(&path).unwrap();
        }
        let mut made = None;
        let resumed = resume_if(&path, || {
            let (thread, waiting) = halting(&path, Duration::ZERO);
            made = Some(thread);
            waiting.recv().expect("it says nothing before it had the lock");
            assert!(path.exists(), "orders stop before that");
            true
        });
        assert_eq!(resumed.unwrap(), Some(true), "the resume removed that halt's file");
        assert!(made.unwrap().join().unwrap().unwrap());
        assert!(path.exists(), "it was made again");
    }
}

#[test]
fn a_lock_that_is_never_free_refuses_a_resume() {
    let place = Place::new();
    let path = place.0.join("halt");
    let held = lock(&path, Duration::ZERO, pause).unwrap().unwrap();
    let doubt = make_within(&path, Duration::ZERO, Duration::ZERO, pause).unwrap_err();
    assert_eq!(doubt.kind(), ErrorKind::ResourceBusy);
    assert!(path.exists(), "orders are stopped all the same");
    assert!(resume_if(&path, || true).is_err() && path.exists());
    assert!(resume(&path).is_err() && path.exists());
    drop(held);
    assert_eq!(resume_if(&path, || true).unwrap(), Some(true));
}

#[test]
fn a_doubt_is_a_halt() {
    let place = Place::new();
    let gone = HaltFile::new(Some(place.0.join("unmounted").join("halt")));
    assert!(gone.is_halted() && matches!(gone.state(), HaltState::Unknown(_)));
    fs::write(place.0.join("file"), "").unwrap();
    let no_directory = HaltFile::new(Some(place.0.join("file").join("halt")));
    assert!(no_directory.is_halted(), "{}", no_directory.state());
    fs::create_dir(place.0.join("halt")).unwrap();
    assert!(HaltFile::new(Some(place.0.join("halt"))).is_halted(), "a directory of that name");
    assert!(resume(&place.0.join("halt")).is_err());
}

#[test]
fn without_a_file_nothing_is_halted() {
    assert!(!HaltFile::new(None).is_halted());
}
