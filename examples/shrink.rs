//! A job run natively, whole tensors at a time: what the tests that open our files with other programs are driven by.
//!
//! `shrink MODEL OUT-FOLDER REQUEST [LIMIT]`: the model of one file (and data beside it), the request as JSON, and how many bytes an ONNX
//! model may have. Writes the files (`model` where the job names none) and for each packed tensor `NUMBER.f32`, what its bytes read back
//! as; prints the plan as JSON, or the error as JSON.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use fewerbits::decode::decode;
use fewerbits::formats::{Listing, Reader, Step, TensorInfo};
use fewerbits::pipeline::{Content, Job, Task, job, onnx_job_with_limit};
use fewerbits::plan::{Model, Request, Target, plan};
use fewerbits::{Result, Shape};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [input, out, request, limit @ ..] = args.as_slice() else {
        eprintln!("usage: shrink MODEL OUT-FOLDER REQUEST [LIMIT]");
        std::process::exit(2);
    };
    let limit = limit.first().map(|limit| limit.parse().expect("a number of bytes"));
    match run(Path::new(input), Path::new(out), request, limit) {
        Ok(answer) => println!("{answer}"),
        Err(e) => println!("{}", serde_json::json!({"error": e.to_string(), "code": e.code.as_str()})),
    }
}

fn run(input: &Path, out: &Path, request: &str, limit: Option<u64>) -> Result<String> {
    let file = fs::read(input).expect("the model can be read");
    let request: Request = serde_json::from_str(request).expect("the request is right");
    let model = Model::of(vec![list(&file)?]);
    let plan = plan(&model, &request)?;
    let job = match limit {
        Some(limit) if plan.to == Target::Onnx => onnx_job_with_limit(&model, &plan, limit)?,
        _ => job(&model, &plan)?,
    };
    let source = Source { folder: input.parent().expect("a folder").to_owned(), file, listing: &model.parts[0] };
    source.write(&job, out)?;
    Ok(serde_json::to_string(&plan).expect("a plan is JSON"))
}

fn list(file: &[u8]) -> Result<Listing> {
    let mut reader = Reader::new(file.len() as u64);
    let mut bytes: &[u8] = &[];
    loop {
        match reader.step(bytes)? {
            Step::Need(range) => bytes = &file[range.start as usize..range.end as usize],
            Step::Done(listing) => return Ok(listing),
            Step::Shards(_) => panic!("a model in one file"),
        }
    }
}

struct Source<'a> {
    folder: PathBuf,
    file: Vec<u8>,
    listing: &'a Listing,
}

impl Source<'_> {
    fn stored(&self, tensor: &TensorInfo) -> Vec<u8> {
        let range = tensor.bytes.start as usize..tensor.bytes.end as usize;
        match (&tensor.inline, &tensor.file) {
            (Some(inline), _) => inline.to_vec(),
            (None, Some(beside)) => fs::read(self.folder.join(beside)).expect("a file beside it")[range].to_vec(),
            (None, None) => self.file[range].to_vec(),
        }
    }

    fn write(&self, job: &Job, out: &Path) -> Result<()> {
        let mut files: Vec<Vec<Option<u8>>> = job.files.iter().map(|f| vec![None; f.byte_len as usize]).collect();
        let mut put = |file: usize, at: u64, bytes: &[u8]| {
            for (place, &byte) in files[file][at as usize..][..bytes.len()].iter_mut().zip(bytes) {
                assert!(place.replace(byte).is_none(), "a byte is written twice");
            }
        };
        for (index, file) in job.files.iter().enumerate() {
            for segment in &file.segments {
                match &segment.content {
                    Content::Bytes(bytes) => put(index, segment.at, bytes),
                    Content::Copy { range, .. } => {
                        put(index, segment.at, &self.file[range.start as usize..range.end as usize]);
                    }
                    Content::Stored { tensor, .. } => {
                        put(index, segment.at, &self.stored(&self.listing.tensors[*tensor]))
                    }
                }
            }
        }
        let mut back = HashMap::new();
        for task in &job.tasks {
            back.insert(task.tensor, self.pack(task, &mut put)?);
        }
        fs::create_dir_all(out).expect("the folder can be made");
        for (file, bytes) in job.files.iter().zip(files) {
            let bytes: Option<Vec<u8>> = bytes.into_iter().collect();
            let name = if file.name.is_empty() { "model" } else { &file.name };
            fs::write(out.join(name), bytes.expect("every byte is written")).expect("the file can be written");
        }
        for (tensor, values) in back {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            fs::write(out.join(format!("{tensor}.f32")), bytes).expect("the file can be written");
        }
        Ok(())
    }

    /// Packs a tensor by the rows that its task names, and gives what is read back.
    fn pack(&self, task: &Task, put: &mut impl FnMut(usize, u64, &[u8])) -> Result<Vec<f32>> {
        let tensor = &self.listing.tensors[task.tensor];
        let shape = Shape::new(&task.dims)?;
        let mut values = vec![0.0; shape.count() as usize];
        decode(tensor.dtype, tensor.big_endian, &self.stored(tensor), &mut values)?;
        let packer = task.packing.packer()?;
        let (rows, columns) = shape.matrix();
        let mut back = Vec::with_capacity(values.len());
        for first in (0..rows).step_by(task.rows_at_once as usize) {
            let some = task.rows_at_once.min(rows - first);
            let mut dims = task.dims.clone();
            dims[0] = some;
            let shape = Shape::new(&dims)?;
            let values = &values[(first * columns) as usize..((first + some) * columns) as usize];
            let parts = packer.pack(values, &shape)?;
            for (part, place) in parts.iter().zip(&task.parts) {
                put(place.file, place.at + place.row_bytes.map_or(0, |bytes| first * bytes), part);
            }
            back.extend(packer.unpack(&parts, &shape)?);
        }
        Ok(back)
    }
}
