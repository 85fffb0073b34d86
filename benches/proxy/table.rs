//! The table of instructions: what each case costs, may cost and ought to cost.

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
        "{:<28} {:>12} {:>10} {:>12} {:>10} {:>8}",
        "instructions a request", "in all", "filter", "x Envoy's", "at most", "aim"
    );
    for row in rows {
        let own = over_baseline(rows, row);
        let ratio = native.map_or("-".to_owned(), |native| {
            format!("{:.1}", ratio(own, native))
        });
        let (most, aim) = (most(row), aim(rows, row));
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |it| it.to_string());
        let verdict = match (most, aim) {
            (Some(most), _) if own > most => "over",
            (_, Some(aim)) if own <= aim => "met",
            _ => "",
        };
        let line = format!(
            "{:<28} {:>12} {own:>10} {ratio:>12} {:>10} {:>8} {verdict}",
            row.case.name,
            row.instructions,
            number(most),
            number(aim)
        );
        println!("{}", line.trim_end());
    }
}

/// One line for each row that costs more than it did.
pub fn exceeded(rows: &[Row]) -> Vec<String> {
    let complaint = |row: &Row| {
        let (own, most) = (over_baseline(rows, row), most(row)?);
        (own > most).then(|| {
            let name = row.case.name;
            format!("{name}: {own} instructions, at most {most} are allowed")
        })
    };
    rows.iter().filter_map(complaint).collect()
}

/// The most that a case may cost: 3 % over what it costs now. Two runs of one module differ by less than 1 %.
fn most(row: &Row) -> Option<i64> {
    let now = i64::try_from(row.case.now?).expect("a request ends");
    Some(now + now * 3 / 100)
}

/// The most that a case ought to cost, less than the one that it is to be below.
fn aim(rows: &[Row], row: &Row) -> Option<i64> {
    let aim = row.case.aim.and_then(|aim| i64::try_from(aim).ok());
    let other = row.case.below.and_then(|name| find(rows, name));
    let below = other.map(|other| over_baseline(rows, other) - 1);
    aim.into_iter().chain(below).min()
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
