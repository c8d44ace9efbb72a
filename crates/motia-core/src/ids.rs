//! Names and ids. Each is a type of its own, so that a topic cannot be passed where a step is meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text as the user wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name!(
    /// The `name` of a step's config. Unique in a project; spaces and any other character are fine.
    StepName
);
name!(
    /// What events are emitted to and subscribed from. Any characters.
    Topic
);
name!(
    /// The `name` of a stream: `ctx.streams.<name>`.
    StreamName
);
name!(
    /// A flow: a label that groups steps in the Workbench.
    FlowName
);
name!(
    /// The first half of an address in state and streams, and the ordering key of a fifo event. Any characters.
    GroupId
);
name!(
    /// An event, once it is emitted. What the text means is the backend's own.
    EventId
);
name!(
    /// The second half of an address in state and streams. Any characters.
    ItemKey
);
name!(
    /// A source file, relative to the project's root, with `/` between folders. It names the file in every message.
    SourcePath
);

/// Which of the deliveries that are due come first: those with the higher one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(i8);

impl Priority {
    /// The most, and with a minus the least.
    pub const MOST: i8 = 100;

    /// `None` outside of -100 to 100: a number for each event would be an order of its own, which is what a time is for.
    pub fn new(number: i64) -> Option<Self> {
        i8::try_from(number).ok().filter(|number| (-Self::MOST..=Self::MOST).contains(number)).map(Self)
    }

    /// The number.
    pub fn number(self) -> i8 {
        self.0
    }
}

/// The language of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// `.ts`, `.mts`, `.cts`: compiled, then run by Node.
    TypeScript,
    /// `.js`, `.mjs`, `.cjs`: compiled too, since imports are resolved by the same rules.
    JavaScript,
    /// `.py`.
    Python,
    /// `.rb`.
    Ruby,
}

/// The program that runs files of a language: TypeScript and JavaScript share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// Node.js.
    Node,
    /// CPython.
    Python,
    /// CRuby.
    Ruby,
}

impl Runtime {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Node, Self::Python, Self::Ruby];

    /// Its name, as the protocol and the knobs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Ruby => "ruby",
        }
    }
}

impl Language {
    /// Which runtime runs it.
    pub fn runtime(self) -> Runtime {
        match self {
            Self::TypeScript | Self::JavaScript => Runtime::Node,
            Self::Python => Runtime::Python,
            Self::Ruby => Runtime::Ruby,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TypeScript => "TypeScript",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
            Self::Ruby => "Ruby",
        })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
