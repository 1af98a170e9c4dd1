//! The least and the middle of several measurements.

/// Several measurements of one thing, in order of size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    values: Vec<f64>,
}

impl Sample {
    /// Adds a measurement.
    pub(crate) fn add(&mut self, value: f64) {
        let at = self.values.partition_point(|known| *known < value);
        self.values.insert(at, value);
    }

    /// Adds all measurements of another.
    pub(crate) fn extend(&mut self, other: Self) {
        other.values.into_iter().for_each(|value| self.add(value));
    }

    /// The least: what the program itself needs.
    pub(crate) fn min(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }

    /// The middle: what this machine gave.
    pub(crate) fn median(&self) -> f64 {
        self.values.get(self.values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The largest.
    pub(crate) fn max(&self) -> f64 {
        self.values.last().copied().unwrap_or(f64::NAN)
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sample = Self::default();
        values.into_iter().for_each(|value| sample.add(value));
        sample
    }
}
