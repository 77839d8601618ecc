//! Companies, their mail domains, and who is what in them.

use super::cards::{members, visible};
use super::queue::Reader;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Nid, Result};

/// A company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyRow {
    /// ULID.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Country and number.
    pub vat: Option<String>,
    /// When somebody made sure of the number.
    pub vat_verified_ts: Option<Ms>,
    /// Whose it is.
    pub owner: Option<Nid>,
    /// The same, Matrix id.
    pub owner_id: Option<String>,
    /// Moves with every change.
    pub version: i64,
    /// When it was made.
    pub created_ts: Ms,
    /// When it changed last.
    pub updated_ts: Ms,
}

macro_rules! companies {
    ($($rest:tt)*) => {
        concat!(
            "SELECT y.company_id, y.shown_name, y.vat, y.vat_verified_ts, y.owner_nid, n.text, y.version, y.created_ts, \
             y.updated_ts FROM company y LEFT JOIN name n ON n.nid = y.owner_nid ",
            $($rest)*
        )
    };
}

fn read(row: &Row) -> Result<CompanyRow> {
    Ok(CompanyRow {
        id: row.text(0)?,
        name: row.text(1)?,
        vat: row.text_opt(2)?,
        vat_verified_ts: row.int_opt(3)?,
        owner: row.int_opt(4)?,
        owner_id: row.text_opt(5)?,
        version: row.int(6)?,
        created_ts: row.int(7)?,
        updated_ts: row.int(8)?,
    })
}

/// A company.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_id<S: Source>(source: &mut S, id: &str) -> Result<Option<CompanyRow>> {
    let sql = companies!("WHERE y.company_id = $1");
    source.first(sql, vec![id.into()]).await?.as_ref().map(read).transpose()
}

/// Companies after an id, of a number and of a mail domain if they are given.
///
/// # Errors
/// See [`Source::all`].
pub async fn page<S: Source>(
    source: &mut S,
    after: &str,
    vat: Option<&str>,
    domain: Option<&str>,
    limit: i64,
) -> Result<Vec<CompanyRow>> {
    let sql = companies!(
        "WHERE y.company_id > $1 AND ($2 IS NULL OR y.vat = $2) AND ($3 IS NULL OR y.company_id IN \
         (SELECT d.company_id FROM company_domain d WHERE d.domain = $3)) ORDER BY y.company_id LIMIT $4"
    );
    let values = vec![after.into(), vat.into(), domain.into(), limit.into()];
    source.all(sql, values).await?.iter().map(read).collect()
}

/// Mail domains of companies: company, domain.
///
/// # Errors
/// See [`Source::all`].
pub async fn domains<S: Source>(source: &mut S, companies: &[&str]) -> Result<Vec<(String, String)>> {
    let sql = "SELECT company_id, domain FROM company_domain WHERE company_id IN TEXT_SET($1) ORDER BY company_id, domain";
    let rows = source.all(sql, vec![text_set(companies)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// What somebody is in a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    /// The company.
    pub company: String,
    /// What it is called.
    pub company_name: String,
    /// The contact, after all merges.
    pub contact: String,
    /// Such as owner or buyer; empty when it was not said.
    pub role: String,
    /// First day, YYYY-MM-DD.
    pub since: Option<String>,
    /// Last day.
    pub until: Option<String>,
}

impl PersonRow {
    /// The company with the role, for people.
    pub fn shown(&self) -> String {
        match self.role.is_empty() {
            true => self.company_name.clone(),
            false => format!("{} ({})", self.company_name, self.role),
        }
    }
}

fn read_person(row: &Row) -> Result<PersonRow> {
    Ok(PersonRow {
        company: row.text(0)?,
        company_name: row.text(1)?,
        contact: row.text(2)?,
        role: row.text(3)?,
        since: row.text_opt(4)?,
        until: row.text_opt(5)?,
    })
}

/// Companies of a contact and of those merged into it.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_contact<S: Source>(source: &mut S, contact: &str) -> Result<Vec<PersonRow>> {
    let sql = concat!(
        members!(),
        "SELECT DISTINCT y.company_id, y.shown_name, m.whole, p.role, p.since, p.until FROM m \
         JOIN company_person p ON p.contact_id = m.contact_id JOIN company y ON y.company_id = p.company_id \
         ORDER BY y.shown_name, y.company_id, p.role"
    );
    source.all(sql, vec![text_set([contact])]).await?.iter().map(read_person).collect()
}

/// People of a company, as far as the reader may see them.
///
/// # Errors
/// See [`Source::all`].
pub async fn people<S: Source>(
    source: &mut S,
    reader: Reader,
    company: &str,
    limit: i64,
) -> Result<Vec<PersonRow>> {
    let sql = concat!(
        "SELECT DISTINCT y.company_id, y.shown_name, t.contact_id, p.role, p.since, p.until FROM company_person p \
         JOIN company y ON y.company_id = p.company_id JOIN contact o ON o.contact_id = p.contact_id \
         JOIN contact t ON t.contact_id = coalesce(o.redirect_to, o.contact_id) \
         WHERE p.company_id = $3 AND ",
        visible!(),
        " ORDER BY t.contact_id, p.role LIMIT $4"
    );
    let values = vec![reader.user.into(), reader.admin.into(), company.into(), limit.into()];
    source.all(sql, values).await?.iter().map(read_person).collect()
}

/// How many conversations some contacts have, with those merged into them: all, and those that are not closed.
///
/// # Errors
/// See [`Source::all`].
pub async fn conversations<S: Source>(source: &mut S, contacts: &[&str]) -> Result<(i64, i64)> {
    let sql = concat!(
        members!(),
        "SELECT count(*), CAST(coalesce(sum(CASE WHEN v.status = 'closed' THEN 0 ELSE 1 END), 0) AS BIGINT) FROM m \
         JOIN contact_identity i ON i.contact_id = m.contact_id JOIN conversation v ON v.identity_nid = i.identity_nid"
    );
    let row = source.first(sql, vec![text_set(contacts)]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.int(0)?, row.int(1)?)))
}

impl Change {
    /// Makes a company. A verified number that another has refuses the change with `Conflict`.
    pub fn add_company(&mut self, row: &CompanyRow) {
        self.insert(
            Table::Company,
            vec![
                row.id.as_str().into(),
                row.name.as_str().into(),
                row.vat.as_deref().into(),
                row.vat_verified_ts.into(),
                row.owner.into(),
                row.version.into(),
                row.created_ts.into(),
                row.updated_ts.into(),
            ],
        );
    }

    /// Changes a company that is still at `row.version`; refused with `Conflict` otherwise.
    pub fn change_company(&mut self, row: &CompanyRow, now: Ms) {
        let sql = "UPDATE company SET shown_name = $3, vat = $4, vat_verified_ts = $5, owner_nid = $6, updated_ts = $7, \
                   version = version + 1 WHERE company_id = $1 AND version = $2";
        self.guard(
            sql,
            vec![
                row.id.as_str().into(),
                row.version.into(),
                row.name.as_str().into(),
                row.vat.as_deref().into(),
                row.vat_verified_ts.into(),
                row.owner.into(),
                now.into(),
            ],
        );
    }

    /// Says which mail domains a company has.
    pub fn set_domains(&mut self, company: &str, domains: &[String]) {
        self.run("DELETE FROM company_domain WHERE company_id = $1", vec![company.into()]);
        for domain in domains {
            self.insert(Table::CompanyDomain, vec![domain.as_str().into(), company.into()]);
        }
    }

    /// Forgets a company; refused with `Conflict` when it is not there.
    pub fn remove_company(&mut self, company: &str) {
        self.guard("DELETE FROM company WHERE company_id = $1", vec![company.into()]);
        self.run("DELETE FROM company_domain WHERE company_id = $1", vec![company.into()]);
        self.run("DELETE FROM company_person WHERE company_id = $1", vec![company.into()]);
    }

    /// Says what somebody is in a company.
    pub fn set_person(&mut self, row: &PersonRow) {
        self.insert(
            Table::CompanyPerson,
            vec![
                row.company.as_str().into(),
                row.contact.as_str().into(),
                row.role.as_str().into(),
                row.since.as_deref().into(),
                row.until.as_deref().into(),
            ],
        );
    }

    /// Somebody, or one merged into them, was never in a company; of one role if it is given.
    pub fn remove_person(&mut self, company: &str, contact: &str, role: Option<&str>) {
        let sql = "DELETE FROM company_person WHERE company_id = $1 AND ($3 IS NULL OR role = $3) AND contact_id IN \
                   (SELECT contact_id FROM contact WHERE contact_id = $2 OR redirect_to = $2)";
        self.run(sql, vec![company.into(), contact.into(), role.into()]);
    }
}
