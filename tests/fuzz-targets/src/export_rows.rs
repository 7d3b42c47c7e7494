//! Files of exports as the SDK reads them: gzip, and in it CSV.

use std::collections::BTreeMap;
use std::io::Write as _;

use didww_client::{ExportFile, InboundCallRow, OutboundCallRow};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Files with and without quotes, and texts that are no CSV.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "Date/Time Start (UTC),Status,Call Duration (sec),Charged (USD),Call ID\n2026-11-29 12:00:00,Success,7,0.25,a@b\n",
        "Date/Time End (UTC),Attempt,Total (USD)\r\n,1,\r\n",
        "a,b\n\"c,\"\"d\"\"\n\",e\n",
        "a\n\"open",
        "a\"b",
        "a\rb",
        ",,\n,,",
        "",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}

fn compressed(content: &[u8]) -> ExportFile {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    ExportFile::new(encoder.finish().unwrap())
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// Any file has rows and at most one error, which is the last item, also uncompressed, and a file that is written as
/// CSV is read as it was.
pub fn export_rows(data: &[u8]) {
    assert!(
        ExportFile::new(data.to_vec()).rows::<BTreeMap<String, String>>().filter(Result::is_err).count() <= 1
    );
    let file = compressed(data);
    let is_over = |results: Vec<bool>| results.iter().rev().skip(1).all(|is_ok| *is_ok);
    assert!(is_over(file.rows::<OutboundCallRow>().map(|row| row.is_ok()).collect()));
    assert!(is_over(file.rows::<InboundCallRow>().map(|row| row.is_ok()).collect()));
    let cells = |file: &ExportFile| -> Vec<Option<BTreeMap<String, String>>> {
        file.rows::<BTreeMap<String, String>>().map(Result::ok).collect()
    };
    assert_eq!(cells(&ExportFile::plain(data.to_vec())), cells(&file), "a plain file has the same rows");
    let text = String::from_utf8_lossy(data);
    let cells: Vec<&str> = text.split('\n').collect();
    let lines: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    let rows: Vec<BTreeMap<String, String>> =
        compressed(format!("column\n{}\n", lines.join("\n")).as_bytes())
            .rows()
            .collect::<Result<_, _>>()
            .unwrap();
    let read: Vec<&str> = rows.iter().map(|row| row["column"].as_str()).collect();
    assert_eq!(read, cells);
}
