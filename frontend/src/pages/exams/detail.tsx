import type { ExamDetail, ExamImage } from "../../api/types";
import type { PageProps } from "../../router";
import { useAnswer } from "../../shell/data";
import { Problem } from "../../shell/problem";
import { useHere } from "../../shell/project";
import { useAddress } from "../../ui/address";
import { count, day } from "../../ui/format";
import { Empty, Facts, PageHead, Panel, State } from "../../ui/panel";
import { inHangingOrder, viewName } from "./hanging";
import { HeaderViewer } from "./header-viewer";
import { ModelsSay } from "./models-say";
import { Picture } from "./picture";
import { Readings } from "./readings";

/** One exam: its images, what their headers say, who has read it. */
export default function ExamPage({ params }: PageProps) {
  const { project } = useHere();
  const { data, error, reload } = useAnswer(`exams/${params.id}/`, { project: project.id });
  return (
    <main className="page">
      <Problem error={error} onRetry={reload} />
      {data && <Detail exam={data} />}
    </main>
  );
}

function Detail({ exam }: { exam: ExamDetail }) {
  const { project, role } = useHere();
  const { query, change } = useAddress();
  const images = inHangingOrder(exam.images);
  const chosen = images.find((image) => image.id === query.get("image")) ?? images[0];
  return (
    <>
      <PageHead
        title={exam.label}
        about={
          <>
            {[exam.date && day(exam.date), exam.age_years ? `${exam.age_years} years` : null]
              .filter(Boolean)
              .join(" · ")}{" "}
            <State of={exam.state} />
          </>
        }
      />
      <div className="exam-images">
        {images.map((image) => (
          <button
            key={image.id}
            type="button"
            className="exam-image"
            aria-pressed={image === chosen}
            onClick={() => change({ image: image.id })}
          >
            <Picture image={image} named={false} />
            <span>{viewName(image)}</span>
          </button>
        ))}
        {images.length === 0 && <Empty title="No image of this exam is ready yet." />}
      </div>
      <Readings exam={exam.id} />
      <div className="columns">
        <div>
          <Panel title="Exam">
            <Facts
              rows={[
                Boolean(exam.patient_label) && ["patient", exam.patient_label],
                ["split", `${exam.split}: drawn once for the patient in ${project.name}, it never moves`],
                Boolean(exam.source) && ["source", exam.source],
                ["who may see it", `members of ${project.name}, and of other projects that hold it`],
              ]}
            />
          </Panel>
          {role === "admin" && <ModelsSay exam={exam} />}
        </div>
        <div>
          {chosen && <ImagePanel image={chosen} />}
          {chosen && <HeaderViewer image={chosen.id} />}
        </div>
      </div>
    </>
  );
}

function ImagePanel({ image }: { image: ExamImage }) {
  return (
    <Panel title={`Image ${viewName(image)}`}>
      <Facts
        rows={[
          ["size", `${count(image.cols)} × ${count(image.rows)} pixels`],
          [
            "spacing",
            image.spacing_mm
              ? `${image.spacing_mm[0]} × ${image.spacing_mm[1]} mm (${image.spacing_source})`
              : "not known: lengths are in pixels",
          ],
          ["kind", [image.presentation.replaceAll("_", " "), image.photometric].filter(Boolean).join(", ")],
          ["orientation", image.patient_orientation.replace("\\", " \\ ")],
          [
            "windows",
            image.windows.map((w) => `${w.explanation || "window"} ${w.center}/${w.width}`).join(", ") ||
              "none in the file",
          ],
          image.flags.length > 0 && [
            "flags",
            <span key="f" className="warn">
              {image.flags.join(", ").replaceAll("_", " ")}
            </span>,
          ],
          ["SOP instance", <code key="u">{image.sop_uid}</code>],
        ]}
      />
    </Panel>
  );
}
