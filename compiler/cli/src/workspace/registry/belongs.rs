//! Which repository a working copy is of, and what becomes of it when that is another one than before.

use super::{CopyRecord, Document, Location, Opening};
use crate::workspace::repository;

/// Which repository a working copy was found to be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// As it was.
    Same,
    /// It had none of its own, and has one by now. What was recorded of it goes along.
    Gained {
        /// The identity that it had.
        was: String,
    },
    /// What was made from it was made for another one, and nobody said that it goes along.
    Moved {
        /// The one that it was.
        was: String,
    },
}

impl Document {
    /// Records which repository a working copy is of. What was made for another one is not taken
    /// along in silence.
    pub(super) fn belong(&mut self, place: &Location, key: &str, opening: &Opening<'_>) -> Belongs {
        let of_clone = self.identity_of_clone(place, key);
        let Some(copy) = self.copy_mut(key, opening.project) else { return Belongs::Same };
        let was = copy.repository.clone();
        // Without an origin it stays what it was, so that taking one away changes nothing.
        let now = opening
            .repository
            .map(str::to_owned)
            .or_else(|| was.clone())
            .or(of_clone)
            .unwrap_or_else(|| repository::of_working_copy(&opening.entropy.hex(8)));
        match was {
            Some(was) if was != now => {
                let gained = repository::is_working_copy(&was);
                if !gained && copy.made_something() {
                    return Belongs::Moved { was };
                }
                let tells = copy.made_something();
                if gained {
                    copy.become_of(&now);
                } else {
                    copy.repository = Some(now);
                }
                if tells { Belongs::Gained { was } } else { Belongs::Same }
            }
            _ => {
                copy.repository = Some(now);
                Belongs::Same
            }
        }
    }
}

impl CopyRecord {
    /// From now on it is of this repository, and what it was is its own, too.
    pub(super) fn become_of(&mut self, repository: &str) {
        if let Some(was) = self.repository.replace(repository.to_owned())
            && was != repository
        {
            self.formerly.insert(was);
        }
        self.formerly.remove(repository);
    }
}
