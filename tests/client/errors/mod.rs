//! What the server says when something is wrong with a request.

mod bodies;
mod budgets;
mod hostile;
mod routes;
mod secrecy;
