import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, see }) => html`
  <p>
    One width for all layers is simple and wasteful. Take the float network, quantize a single layer, and count the
    digits: the right half of the table does that for each layer and three widths. Then choose a width for each, on the
    left.
  </p>
  ${figure('layers')}
  <p>
    At 2 bits ${see('layers', 'conv1=32;conv2=2;fc1=32;fc2=32', 'conv2 alone')} costs 189 of 358 digits; fc1, the
    largest layer, costs 16. At 3 bits fc1 costs nothing. So spend the bits where they count:
  </p>
  <ul>
    <li>${see('layers', '', '4 bits everywhere')}: 4.14 bits per weight, 356 digits.</li>
    <li>
      ${see('layers', 'conv1=8;fc1=3', '8 bits for conv1, 4 for conv2 and fc2, 3 for fc1')}: 3.54 bits per weight, and
      358 digits. Smaller and better.
    </li>
  </ul>
  <p>
    conv1 has only 288 weights. Its 8 bits cost nothing that one could notice. This is how real models are shrunk too:
    the first and the last layers and a few sensitive ones in between keep more bits, and the bulk gets fewer.
    llama.cpp’s presets such as Q4_K_M are tables of just such choices. How to keep the accuracy, then: measure, do not
    guess. In the room <a href="#/shrink">Shrink</a> the strip is coloured by it.
  </p>
`;
