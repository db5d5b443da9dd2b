/** What the commands say about themselves. */

export const OVERVIEW = `Usage: fewerbits COMMAND …

  inspect FILE            what is in a model file
  shrink IN… -o OUT       makes it smaller, and proves what was written (also: quantize)
  plan IN -o RECIPE       what shrink would do, as a recipe for this or another machine
  compare A B             how far two models lie apart, tensor by tensor
  schemes [ID]            the schemes, or the options of one
  merge SHARD… -o INDEX   the index of shards that were shrunk one by one

  fewerbits COMMAND --help tells more; --version.
  Inputs are paths or addresses, a folder or index for a model in several files. MB = 10^6 bytes.
  Exit codes: 0 done, 1 failed, 2 not understood, 130 interrupted (143 by SIGTERM).`;

/** What shrink and plan share. */
export const CHOICES = `  --target-size SIZE            all files together take so much at most (20MB, 400MiB): each tensor gets the scheme
                                by which least is lost. A sample of each is measured for it
  --target-bits N               the same by stored bits per weight
  --schemes ID,…                what may be chosen for a target; by default all of the format's
  --exclude GLOB=ID,…           what may not be, for tensors whose names match; may be repeated
  --effort best                 searches for less error in the same bytes, which takes several times as long (GGUF)
  --weight ROLE=N               what the errors of a role count for a target: embedding 1, attention 1, feedForward 2,
                                output 32, other 1 by default; may be repeated
  --measure-weights             runs the model to find what the error of each matrix counts for a target: a llama in one
                                GGUF file that the engine can run; an ONNX model, on random inputs, where
                                onnxruntime-web is installed beside fewerbits
  --by-running                  runs a llama in one GGUF file under up to 200 recipes of the size, and takes the one under
                                which its answers move least
  --least-db N                  a scheme that keeps less of a tensor is not chosen for it; 6 by default
  --scheme ID[:option=value,…]  for every tensor that is quantized at all (fewerbits schemes)
  --preset NAME                 a named set of the format's rules, such as Q4_K_M
  --recipe FILE                 what plan wrote
  --rule GLOB=SCHEME            for tensors whose names match; may be repeated, the last that matches decides
  --keep GLOB                   leaves tensors as they are; may be repeated, stronger than rules
  --workers N                   as many as there are cores, 4 at most, by default
  --to FORMAT                   gguf, onnx, safetensors, npz or deep (Deep Compression, .fbdc); by default what OUT ends in, or the input's own
  --layout NAME                 how safetensors store what is quantized: plain or compressed-tensors; ONNX: qdq or contrib`;
