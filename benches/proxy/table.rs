//! The table of instructions, and what is over its bound in it.

use crate::cases::{BASELINE, Case, NATIVE};

/// One measured case.
pub struct Row {
    pub case: Case,
    /// Instructions of a whole request.
    pub instructions: u64,
}

/// Prints every row beside the baseline and Envoy's own filter.
pub fn print(rows: &[Row]) {
    let native = find(rows, NATIVE).map(|row| over_baseline(rows, row));
    println!(
        "{:<28} {:>12} {:>10} {:>12} {:>8}",
        "instructions a request", "in all", "filter", "x Envoy's", "bound"
    );
    for row in rows {
        let own = over_baseline(rows, row);
        let ratio = native.map_or("-".to_owned(), |native| {
            format!("{:.1}", ratio(own, native))
        });
        let bound = row
            .case
            .bound
            .map_or("-".to_owned(), |bound| bound.to_string());
        let verdict = match complaint(rows, row) {
            Some(_) => "over",
            None if row.case.bound.is_some() => "ok",
            None => "",
        };
        let line = format!(
            "{:<28} {:>12} {own:>10} {ratio:>12} {bound:>8} {verdict}",
            row.case.name, row.instructions
        );
        println!("{}", line.trim_end());
    }
}

/// One line for each row that is over its bound.
pub fn exceeded(rows: &[Row]) -> Vec<String> {
    rows.iter().filter_map(|row| complaint(rows, row)).collect()
}

fn complaint(rows: &[Row], row: &Row) -> Option<String> {
    let (name, own) = (row.case.name, over_baseline(rows, row));
    if let Some(bound) = row
        .case
        .bound
        .filter(|bound| own > i64::try_from(*bound).unwrap())
    {
        return Some(format!(
            "{name}: {own} instructions, at most {bound} are allowed"
        ));
    }
    let other = find(rows, row.case.below?)?;
    let most = over_baseline(rows, other);
    (own >= most).then(|| {
        format!(
            "{name}: {own} instructions, {} takes {most}",
            other.case.name
        )
    })
}

/// What the filter adds; less than nothing where the proxy is spared its own work.
fn over_baseline(rows: &[Row], row: &Row) -> i64 {
    let baseline = find(rows, BASELINE).expect("the baseline is always measured");
    row.instructions.cast_signed() - baseline.instructions.cast_signed()
}

#[allow(clippy::cast_precision_loss, reason = "one decimal is printed")]
fn ratio(own: i64, native: i64) -> f64 {
    own as f64 / native as f64
}

fn find<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.case.name == name)
}
