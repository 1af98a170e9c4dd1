//! Keeps a machine of the core in an object: rows in SQLite, one alarm.
//!
//! A step runs between two awaits, and so do its writes: no other request sees a half-made
//! change, and the runtime holds the answer back until the rows are on disk.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use envc_edge_core::Entropy;
use envc_edge_core::store::{Damaged, Effects};
use worker::js_sys;
use worker::wasm_bindgen::JsValue;
use worker::{Date, ScheduledTime, State, console_error};

use crate::rows::Rows;

/// A machine that can be kept.
pub(crate) trait Machine: Sized {
    /// Reads it out of its rows.
    fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged>;

    /// Does what is due by the clock alone.
    fn tick(&mut self, now_ms: u64) -> Effects;
}

/// A machine and the object that keeps it.
#[derive(Debug)]
pub(crate) struct Kept<M> {
    state: State,
    rows: Rows,
    machine: RefCell<Option<M>>,
    entropy: RefCell<Option<Entropy>>,
    alarm_at_ms: Cell<Option<u64>>,
}

/// The time, in milliseconds since 1970-01-01 UTC.
pub(crate) fn now_ms() -> u64 {
    Date::now().as_millis()
}

fn seeded() -> worker::Result<Entropy> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| worker::Error::from(error.to_string()))?;
    Ok(Entropy::new(seed))
}

impl<M: Machine> Kept<M> {
    pub(crate) fn new(state: State) -> Self {
        Self {
            rows: Rows::of(&state),
            state,
            machine: RefCell::new(None),
            entropy: RefCell::new(None),
            alarm_at_ms: Cell::new(None),
        }
    }

    /// Runs one step and performs its effects. An error means that nothing was written.
    pub(crate) async fn run<T>(
        &self,
        step: impl FnOnce(&mut M) -> (T, Effects),
    ) -> worker::Result<T> {
        let (answer, alarm_at_ms) = self.step(step).inspect_err(|error| {
            console_error!("envc-edge: {error}");
        })?;
        self.arm(alarm_at_ms).await;
        Ok(answer)
    }

    /// Does what is due; called by the runtime's alarm.
    pub(crate) async fn alarm(&self) -> worker::Result<worker::Response> {
        self.alarm_at_ms.set(None);
        self.run(|machine| ((), machine.tick(now_ms()))).await?;
        worker::Response::empty()
    }

    fn step<T>(
        &self,
        step: impl FnOnce(&mut M) -> (T, Effects),
    ) -> worker::Result<(T, Option<u64>)> {
        let mut kept = self
            .machine
            .try_borrow_mut()
            .map_err(|_| worker::Error::from("a step was begun within a step"))?;
        let mut machine = match kept.take() {
            Some(machine) => machine,
            None => self.load()?,
        };
        let (answer, effects) = step(&mut machine);
        let alarm_at_ms = effects.alarm_at_ms;
        // When this fails the machine is dropped, and read anew by the next request.
        self.rows.write(effects)?;
        *kept = Some(machine);
        Ok((answer, alarm_at_ms))
    }

    /// Where its rows and blobs are.
    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Unguessable values for one call, out of a seed that the runtime's generator gave this
    /// object when it was first asked.
    pub(crate) fn entropy(&self) -> worker::Result<Entropy> {
        let busy = |_| worker::Error::from("a seed was drawn while one is drawn");
        let mut kept = self.entropy.try_borrow_mut().map_err(busy)?;
        let mut entropy = match kept.take() {
            Some(entropy) => entropy,
            None => seeded()?,
        };
        let seed = entropy.bytes();
        *kept = Some(entropy);
        Ok(Entropy::new(seed))
    }

    fn load(&self) -> worker::Result<M> {
        let rows = self.rows.read()?;
        M::load(&rows).map_err(|damaged| worker::Error::from(damaged.to_string()))
    }

    /// Sets the alarm if it is to ring earlier than it would. One that rings too early finds
    /// nothing to do and sets the next.
    async fn arm(&self, at_ms: Option<u64>) {
        let Some(at_ms) = at_ms else { return };
        if self.alarm_at_ms.get().is_some_and(|set| set <= at_ms) {
            return;
        }
        self.alarm_at_ms.set(Some(at_ms));
        #[expect(clippy::cast_precision_loss, reason = "milliseconds fit for 285,000 years")]
        let date = js_sys::Date::new(&JsValue::from_f64(at_ms as f64));
        if self.state.storage().set_alarm(ScheduledTime::new(date)).await.is_err() {
            self.alarm_at_ms.set(None);
        }
    }
}
