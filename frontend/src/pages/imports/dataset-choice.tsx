import { SelectField } from "../../ui/field";

const KINDS = [
  { value: "auto", label: "look and see" },
  { value: "dicom", label: "DICOM, without labels" },
  { value: "mini-mias", label: "mini-MIAS, with its labels" },
  { value: "phantoms", label: "phantoms, with their truth" },
] as const;

/** What the files are; usually the server finds out. */
export function DatasetChoice({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <SelectField
      label="What they are"
      value={value}
      onChange={onChange}
      options={KINDS}
      hint="Labels of a data set become reference readings: readers never see them, snapshots take them only if asked."
    />
  );
}
