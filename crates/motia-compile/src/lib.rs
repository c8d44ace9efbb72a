//! Discovery of step files and the TypeScript/JavaScript project compiler.
