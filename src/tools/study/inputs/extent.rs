//! What the look-ahead check has seen, and what it cannot: sentences for the report.

use super::{BarSource, OddsSource};
use crate::tools::study::args::Task;

/// What the check of recorded odds does not see.
const OF_RECORDED_ODDS: &str = "not checked: that the model gave these odds for these features (sentinel replay --ask-model asks it again), and \
                                what it was trained on";

/// What the look-ahead check looks at with such bars and odds, and what it cannot.
pub(super) fn extent(task: &Task) -> Vec<String> {
    let said: &[&str] = match (&task.odds, &task.bars) {
        (OddsSource::Model(_), BarSource::File(..)) => &[
            "checked: from the bars of the file to the features that the model was asked with, for every decision: how bars are made \
             of finer ones, when they close, where the window ends, and the 23 features with their sequence",
            "not checked: what the model was trained on, and bars that the provider has repaired since",
        ],
        (OddsSource::Model(_), _) => &[
            "checked: from the bars of the archive to the features that the model was asked with, for every decision: when bars close, \
             where the window ends, and the 23 features with their sequence",
            "not checked: how the daemon made the bars of the archive, what the model was trained on, and bars that the provider has \
             repaired since",
        ],
        (OddsSource::Journal(_), BarSource::Recorded) => &[
            "not checked: the features behind these odds. The daemon made them live, when later bars did not exist, and recorded the \
             odds; --bars or --archive makes them again here, sentinel replay from the archive",
        ],
        (OddsSource::Journal(_), BarSource::File(..)) => &[
            "checked: that the 23 features and the digest of the sequence that the daemon recorded with the odds are what the bars of the \
             file give; and of each decision where they are, that nothing on the way from the file to them uses later bars: how bars \
             are made of finer ones, when they close, where the window ends",
            OF_RECORDED_ODDS,
        ],
        (OddsSource::Journal(_), BarSource::Archive(_)) => &[
            "checked: that the 23 features and the digest of the sequence that the daemon recorded with the odds are what the bars of the \
             archive give; and of each decision where they are, that nothing on the way from the archive to them uses later bars: when \
             bars close, where the window ends",
            OF_RECORDED_ODDS,
        ],
        (OddsSource::File(_), _) => &[
            "not checked: the features behind these odds. Whoever made the file may have used later bars, and nothing in it tells",
        ],
    };
    said.iter().map(|sentence| (*sentence).to_owned()).collect()
}
