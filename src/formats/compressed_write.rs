//! What `config.json` says of a model whose weights are stored as compressed-tensors: the block `quantization_config`
//! (<https://github.com/vllm-project/compressed-tensors>, `QuantizationConfig`).

use serde_json::{Map, Value, json};

use crate::error::{Code, Error, Result};

/// How the weights of a model are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantization<'a> {
    /// `pack-quantized` or `float-quantized`.
    pub format: &'a str,
    /// Bits of a code.
    pub bits: u32,
    /// Weights that share a scale; `None` for all of a row.
    pub group: Option<u64>,
    /// The modules that stay as they were, such as `lm_head`.
    pub ignore: &'a [&'a str],
}

/// `config.json` with the block; all else stays as it was, with keys in order of their names.
///
/// # Errors
/// `malformed` when `config` is no JSON object; `unsupported` when it is quantized already.
pub fn config(config: &str, quantization: &Quantization<'_>) -> Result<String> {
    let mut all: Map<String, Value> = serde_json::from_str(config)
        .map_err(|e| Error::new(Code::Malformed, "config.json is not a JSON object").with_found(e.to_string()))?;
    if let Some(other) = all.get("quantization_config") {
        let found = other["quant_method"].as_str().unwrap_or("another").chars().take(40).collect::<String>();
        return Err(
            Error::new(Code::Unsupported, "config.json says that the model is quantized already").with_found(found)
        );
    }
    all.insert("quantization_config".into(), block(quantization));
    serde_json::to_string_pretty(&all)
        .map(|text| text + "\n")
        .map_err(|e| Error::new(Code::OutOfMemory, "config.json could not be written").with_found(e.to_string()))
}

fn block(q: &Quantization<'_>) -> Value {
    let kind = if q.format == "float-quantized" { "float" } else { "int" };
    let weights = json!({
        "num_bits": q.bits,
        "type": kind,
        "symmetric": true,
        "strategy": if q.group.is_some() { "group" } else { "channel" },
        "group_size": q.group,
        "dynamic": false,
        "observer": "minmax",
    });
    json!({
        "quant_method": "compressed-tensors",
        "format": q.format,
        "quantization_status": "compressed",
        // Said of the group as well: the library's newer versions guess the format of a group that does not say it.
        "config_groups": { "group_0": { "targets": ["Linear"], "weights": weights, "format": q.format } },
        "ignore": q.ignore,
    })
}
