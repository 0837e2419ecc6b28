import { useHere } from "../../shell/project";
import { AdminHome } from "./admin";
import { ReaderHome } from "./reader";
import { ResearcherHome } from "./researcher";

/** The next thing to do, for whoever comes. */
export default function HomePage() {
  const { role } = useHere();
  switch (role) {
    case "admin":
      return <AdminHome />;
    case "researcher":
      return <ResearcherHome />;
    default:
      return <ReaderHome />;
  }
}
